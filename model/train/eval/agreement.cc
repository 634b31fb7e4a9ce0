#include "model/train/eval/agreement.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/transformer/kv_cache.h"

namespace alignsae {
namespace {

constexpr size_t kRows = 32;  // Texts fed side by side.
constexpr double kClearMargin = 0.1;

// Top concept of each row's last position.
class TopConceptHook : public ResidualHook {
 public:
  explicit TopConceptHook(const Sae* sae) : sae_(sae) {}

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    if (!WantsSite(site)) return;
    std::vector<int64_t> last;
    for (const PackedRow& row : rows) {
      last.push_back(row.offset + row.length - 1);
    }
    top = sae_->ConceptPre(TakeRows(residual, last)).argmax(1);
  }
  bool WantsSite(int site) const override {
    return sae_ != nullptr && sae_->config().hook.site() == site;
  }

  at::Tensor top;  // [rows] int64

 private:
  const Sae* sae_;
};

// One model's side of a batch of texts.
class Feeder {
 public:
  Feeder(const Transformer& model, const Sae* sae)
      : model_(model),
        cache_(model.facts(), kRows, at::kCPU, model.kv_type()),
        hook_(sae) {}

  // Logits [rows, V] after `tokens` of each row, which follow what was fed.
  at::Tensor Feed(absl::Span<const int> slots,
                  const std::vector<std::vector<int32_t>>& tokens,
                  absl::Span<const int> starts) {
    std::vector<PackedRow> rows;
    std::vector<int32_t> packed;
    for (size_t i = 0; i < slots.size(); ++i) {
      PackedRow row;
      row.kv_slot = slots[i];
      row.start = starts[i];
      row.length = static_cast<int>(tokens[i].size());
      row.exit_site = model_.facts().n_layer;
      row.logits = true;
      rows.push_back(row);
      packed.insert(packed.end(), tokens[i].begin(), tokens[i].end());
    }
    return model_.Forward(packed, std::move(rows), cache_, &hook_);
  }
  const at::Tensor& top_concepts() const { return hook_.top; }

 private:
  const Transformer& model_;
  KvCache cache_;
  TopConceptHook hook_;
};

struct Sums {
  double same = 0, kl = 0, clear = 0, clear_same = 0, readout = 0;
  int64_t positions = 0;

  void Add(const at::Tensor& reference, const at::Tensor& other) {
    const auto [best, ids] = reference.topk(2, 1);
    const at::Tensor same_ids = ids.select(1, 0).eq(other.argmax(1));
    const at::Tensor is_clear =
        (best.select(1, 0) - best.select(1, 1)).gt(kClearMargin);
    const at::Tensor p = at::log_softmax(reference, 1);
    const at::Tensor q = at::log_softmax(other, 1);
    same += same_ids.sum().item<double>();
    clear += is_clear.sum().item<double>();
    clear_same += same_ids.logical_and(is_clear).sum().item<double>();
    kl += (p.exp() * (p - q)).sum().item<double>();
    positions += reference.size(0);
  }
};

void FeedBatch(absl::Span<const ForcedText> texts, Feeder& reference,
               Feeder& other, bool readout, Sums& sums) {
  std::vector<int> slots;
  std::vector<int> starts(texts.size(), 0);
  std::vector<std::vector<int32_t>> tokens;
  for (size_t i = 0; i < texts.size(); ++i) {
    slots.push_back(static_cast<int>(i));
    tokens.push_back(texts[i].prompt);
  }
  for (size_t fed = 0; !slots.empty(); ++fed) {
    sums.Add(reference.Feed(slots, tokens, starts),
             other.Feed(slots, tokens, starts));
    if (fed == 0 && readout) {
      sums.readout += reference.top_concepts()
                          .eq(other.top_concepts())
                          .sum()
                          .item<double>();
    }
    std::vector<int> still, next_starts;
    std::vector<std::vector<int32_t>> next;
    for (int slot : slots) {
      // The last answer token is fed to no purpose: nothing follows it.
      if (fed + 1 >= texts[slot].answer.size()) continue;
      still.push_back(slot);
      next.push_back({texts[slot].answer[fed]});
      next_starts.push_back(static_cast<int>(texts[slot].prompt.size() + fed));
    }
    slots = std::move(still);
    tokens = std::move(next);
    starts = std::move(next_starts);
  }
}

}  // namespace

Agreement MeasureAgreement(const Transformer& reference,
                           const Transformer& other,
                           absl::Span<const ForcedText> texts, const Sae* sae) {
  Feeder of_reference(reference, sae), of_other(other, sae);
  Sums sums;
  for (size_t begin = 0; begin < texts.size(); begin += kRows) {
    FeedBatch(texts.subspan(begin, kRows), of_reference, of_other,
              sae != nullptr, sums);
  }
  const auto share = [](double part, double whole) {
    return whole > 0 ? part / whole : 0;
  };
  Agreement agreement;
  agreement.positions = sums.positions;
  const double positions = static_cast<double>(sums.positions);
  agreement.top1 = share(sums.same, positions);
  agreement.kl = share(sums.kl, positions);
  agreement.clear_positions = static_cast<int64_t>(sums.clear);
  agreement.clear_top1 = share(sums.clear_same, sums.clear);
  agreement.prompts = static_cast<int64_t>(texts.size());
  agreement.readout = share(sums.readout, static_cast<double>(texts.size()));
  return agreement;
}

}  // namespace alignsae
