#include "model/train/eval/agreement.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "model/transformer/kv_cache.h"
#include "model/transformer/logit_agreement.h"

namespace alignsae {
namespace {

constexpr size_t kRows = 32;  // Texts of one step.

// Top concept at each row's last prompt token.
class TopConceptHook : public ResidualHook {
 public:
  explicit TopConceptHook(const Sae* sae) : sae_(sae) {}

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    if (WantsSite(site)) Read(rows, residual);
  }
  bool WantsSite(int site) const override {
    return sae_ != nullptr && sae_->config().hook.place() ==
                                  HookPoint{HookKind::kResidPre, site}.place();
  }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& part) override {
    if (hook == sae_->config().hook) Read(rows, part);
  }
  bool WantsInside(int layer) const override {
    return sae_ != nullptr && sae_->config().hook.inside_block() &&
           sae_->config().hook.layer == layer;
  }

  std::vector<int> prompts;  // Their lengths, by row.
  at::Tensor top;            // [rows] int64

 private:
  void Read(absl::Span<const PackedRow> rows, const at::Tensor& residual) {
    std::vector<int64_t> last;
    for (size_t i = 0; i < rows.size(); ++i) {
      last.push_back(rows[i].offset + prompts[i] - 1);
    }
    top = sae_->ConceptPre(TakeRows(residual, last)).argmax(1);
  }

  const Sae* sae_;
};

// One model's side of a batch of texts.
class Reader {
 public:
  Reader(const Transformer& model, const Sae* sae)
      : model_(model),
        cache_(model.facts(), kRows, model.device(), model.kv_type()),
        hook_(sae) {}

  // Logits [P, V] after the last prompt token and each answer token but the
  // last of every text.
  at::Tensor Read(absl::Span<const ForcedText> texts) {
    std::vector<PackedRow> rows;
    std::vector<int32_t> packed;
    hook_.prompts.clear();
    for (const ForcedText& text : texts) {
      const int forced = std::max(0, static_cast<int>(text.answer.size()) - 1);
      PackedRow row;
      row.kv_slot = static_cast<int>(rows.size());
      row.length = static_cast<int>(text.prompt.size()) + forced;
      row.exit_site = model_.facts().n_layer;
      row.logits = 1 + forced;
      rows.push_back(row);
      packed.insert(packed.end(), text.prompt.begin(), text.prompt.end());
      packed.insert(packed.end(), text.answer.begin(),
                    text.answer.begin() + forced);
      hook_.prompts.push_back(static_cast<int>(text.prompt.size()));
    }
    return model_.Forward(packed, std::move(rows), cache_, &hook_);
  }
  const at::Tensor& top_concepts() const { return hook_.top; }

 private:
  const Transformer& model_;
  KvCache cache_;
  TopConceptHook hook_;
};

}  // namespace

Agreement MeasureAgreement(const Transformer& reference,
                           const Transformer& other,
                           absl::Span<const ForcedText> texts, const Sae* sae) {
  Reader of_reference(reference, sae), of_other(other, sae);
  LogitAgreement sums;
  double readout = 0;
  for (size_t begin = 0; begin < texts.size(); begin += kRows) {
    const absl::Span<const ForcedText> batch = texts.subspan(begin, kRows);
    sums.Add(of_reference.Read(batch), of_other.Read(batch));
    if (sae == nullptr) continue;
    readout += of_reference.top_concepts()
                   .eq(of_other.top_concepts())
                   .sum()
                   .item<double>();
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
  agreement.readout = share(readout, static_cast<double>(texts.size()));
  return agreement;
}

}  // namespace alignsae
