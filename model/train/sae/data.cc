#include "model/train/sae/data.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/train/common/mapped_tensor.h"
#include "model/train/common/random_order.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {
namespace {

// Prompts in one forward pass. One cache slot each: on a GPU, 32 slots of GPT-2
// small take 2.4 GB.
constexpr size_t kChunk = 32;

// Keeps what each row has at its positions, at the hook points of interest.
class PositionHook : public ResidualHook {
 public:
  struct Rows {
    at::Tensor all;    // [N, D], filled from the front.
    int64_t next = 0;  // The first that is not filled.
  };
  using Kept = std::map<HookPoint, Rows, PlaceOrder>;

  explicit PositionHook(Kept& kept) : kept_(kept) {}

  absl::Span<const PositionedPrompt> prompts;  // By row.

  void OnResidual(int site, absl::Span<const PackedRow> rows,
                  at::Tensor& residual) override {
    OnInside({HookKind::kResidPre, site}, rows, residual);
  }
  void OnInside(const HookPoint& hook, absl::Span<const PackedRow> rows,
                at::Tensor& residual) override {
    const auto wanted_here = kept_.find(hook);
    if (wanted_here == kept_.end()) return;
    std::vector<int64_t> wanted;
    for (const PackedRow& row : rows) {
      for (int position : prompts[row.index].Span()) {
        wanted.push_back(row.offset + position);
      }
    }
    const at::Tensor index =
        at::tensor(wanted, at::kLong).to(residual.device());
    Rows& kept = wanted_here->second;
    const int64_t count = index.size(0);
    kept.all.narrow(0, kept.next, count).copy_(residual.index_select(0, index));
    kept.next += count;
  }
  bool WantsInside(int layer) const override {
    return std::any_of(kept_.begin(), kept_.end(), [layer](const auto& entry) {
      return entry.first.inside_block() && entry.first.layer == layer;
    });
  }

 private:
  Kept& kept_;
};

void RunChunk(const Transformer& model,
              absl::Span<const PositionedPrompt> chunk, int exit_site,
              KvCache& cache, PositionHook& hook) {
  hook.prompts = chunk;
  std::vector<int32_t> tokens;
  std::vector<PackedRow> rows;
  for (const PositionedPrompt& prompt : chunk) {
    PackedRow row;
    row.index = row.kv_slot = static_cast<int>(rows.size());
    row.length = static_cast<int>(prompt.tokens.size());
    row.exit_site = exit_site;
    rows.push_back(row);
    tokens.insert(tokens.end(), prompt.tokens.begin(), prompt.tokens.end());
  }
  model.Forward(tokens, std::move(rows), cache, &hook);
}

int64_t RowsOf(absl::Span<const PositionedPrompt> prompts) {
  int64_t rows = 0;
  for (const PositionedPrompt& prompt : prompts) rows += prompt.before + 1;
  return rows;
}

// Whether so many rows of each hook are more than the memory shall hold.
bool NeedsFiles(int64_t rows, int d_model, size_t hooks,
                const ResidualRoom& room) {
  const double bytes = static_cast<double>(rows) * d_model *
                       static_cast<double>(hooks * sizeof(float));
  return bytes > static_cast<double>(room.most_bytes);
}

absl::Status CheckPlaces(const Transformer& model,
                         absl::Span<const PositionedPrompt> prompts,
                         const std::vector<HookPoint>& hooks) {
  const TransformerFacts& facts = model.facts();
  for (const HookPoint& hook : hooks) {
    if (const std::optional<FieldError> error =
            HookPointError(hook, facts.n_layer, facts.parallel_residual)) {
      return FieldStatus(*error);
    }
  }
  for (const PositionedPrompt& prompt : prompts) {
    const int length = static_cast<int>(prompt.tokens.size());
    if (length >= 1 && length <= facts.context_length) continue;
    return absl::InvalidArgumentError(absl::StrCat("prompt: must have 1 to ",
                                                   facts.context_length,
                                                   " tokens, got ", length));
  }
  return absl::OkStatus();
}

// Room for `rows` residuals of each hook.
absl::StatusOr<PositionHook::Kept> MakeRoom(const Transformer& model,
                                            int64_t rows,
                                            const std::vector<HookPoint>& hooks,
                                            const ResidualRoom& room) {
  const int width = model.facts().d_model;
  const bool files = NeedsFiles(rows, width, hooks.size(), room);
  PositionHook::Kept kept;
  for (const HookPoint& hook : hooks) {
    if (kept[hook].all.defined()) continue;
    if (files) {
      ALIGNSAE_ASSIGN_OR_RETURN(kept[hook].all,
                                MakeMappedTensor(room.directory, rows, width));
    } else {
      kept[hook].all = at::empty({rows, width}, at::kFloat);
    }
  }
  return kept;
}

// A prompt of a set with what it asks.
struct AskedPrompt {
  PositionedPrompt prompt;
  int64_t label = -1;
  int64_t first_token = -1;
  at::Tensor has_concept;  // [R] bool; undefined: as the label says.
};

absl::StatusOr<QuestionResiduals> CollectAsked(
    const Transformer& model, std::vector<AskedPrompt> asked,
    const std::vector<HookPoint>& hooks, const ResidualRoom& room) {
  QuestionResiduals questions;
  int64_t rows = 0;
  for (const AskedPrompt& each : asked) rows += each.prompt.before + 1;
  const int width = model.facts().d_model;
  if (NeedsFiles(rows, width, hooks.size(), room)) {
    CounterRng rng = RandomStream(room.seed, RandomPurpose::kResidualOrder, 0);
    Shuffle(rng, asked);
    questions.block_rows = std::max<int64_t>(
        4, room.most_bytes / static_cast<int64_t>(width * sizeof(float)));
  }
  std::vector<PositionedPrompt> located;
  std::vector<int64_t> labels, first_tokens, prompts;
  std::vector<at::Tensor> has_concept;
  for (AskedPrompt& each : asked) {
    for (int token = 0; token <= each.prompt.before; ++token) {
      prompts.push_back(static_cast<int64_t>(located.size()));
      labels.push_back(each.label);
      first_tokens.push_back(each.first_token);
      if (each.has_concept.defined()) has_concept.push_back(each.has_concept);
    }
    located.push_back(std::move(each.prompt));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(questions.by_hook,
                            CollectResiduals(model, located, hooks, room));
  questions.labels = at::tensor(labels, at::kLong);
  questions.first_tokens = at::tensor(first_tokens, at::kLong);
  if (!has_concept.empty()) questions.has_concept = at::stack(has_concept);
  if (prompts.size() > located.size()) {
    questions.prompts = at::tensor(prompts, at::kLong);
  }
  return questions;
}

}  // namespace

absl::StatusOr<ResidualsByHook> CollectResiduals(
    const Transformer& model, absl::Span<const PositionedPrompt> prompts,
    const std::vector<HookPoint>& hooks, const ResidualRoom& room) {
  ResidualsByHook collected;
  if (hooks.empty() || prompts.empty()) return collected;
  ALIGNSAE_RETURN_IF_ERROR(CheckPlaces(model, prompts, hooks));
  return WithTorchFence([&]() -> absl::StatusOr<ResidualsByHook> {
    ALIGNSAE_ASSIGN_OR_RETURN(PositionHook::Kept kept,
                              MakeRoom(model, RowsOf(prompts), hooks, room));
    const int exit_site = kept.rbegin()->first.site_behind();
    KvCache cache(model.facts(),
                  static_cast<int>(std::min(kChunk, prompts.size())),
                  model.device(), model.kv_type());
    PositionHook hook(kept);
    for (size_t begin = 0; begin < prompts.size(); begin += kChunk) {
      RunChunk(model, prompts.subspan(begin, kChunk), exit_site, cache, hook);
    }
    for (const auto& [at, rows] : kept) collected[at] = rows.all;
    return collected;
  });
}

std::optional<int32_t> FirstToken(const SaeConfig& config,
                                  const Tokenizer& tokenizer) {
  if (!config.prepend_bos) return std::nullopt;
  return tokenizer.eos_token_id();
}

absl::StatusOr<QuestionResiduals> CollectQuestions(
    const Transformer& model, const Tokenizer& tokenizer, const EvalSet& set,
    const std::vector<int>& people, Split split,
    const std::vector<HookPoint>& hooks, const ResidualRoom& room) {
  std::vector<AskedPrompt> asked;
  for (EvalPrompt& prompt : MakePrompts(set, tokenizer, people, split)) {
    const std::vector<int32_t> answer = AnswerTokens(
        tokenizer, set.people[prompt.person].answers[prompt.relation]);
    AskedPrompt& added = asked.emplace_back();
    added.label = prompt.relation;
    added.first_token = answer.front();  // Starts with a blank.
    added.prompt.position = static_cast<int>(prompt.tokens.size()) - 1;
    added.prompt.tokens = std::move(prompt.tokens);
  }
  return CollectAsked(model, std::move(asked), hooks, room);
}

absl::StatusOr<QuestionResiduals> CollectPrompts(
    const Transformer& model, const Tokenizer& tokenizer, const PromptSet& set,
    absl::Span<const PositionedPrompt> located, Split split,
    const std::vector<HookPoint>& hooks, TrainedPositions positions,
    const ResidualRoom& room) {
  std::vector<AskedPrompt> asked;
  for (size_t i = 0; i < set.prompts.size(); ++i) {
    const LabelledPrompt& prompt = set.prompts[i];
    if (prompt.split != split) continue;
    AskedPrompt& added = asked.emplace_back();
    added.prompt = located[i];
    if (positions != TrainedPositions::kSpan) added.prompt.before = 0;
    if (prompt.concepts.size() == 1) added.label = prompt.concepts[0];
    if (!prompt.answer.empty()) {
      added.first_token = AnswerTokens(tokenizer, prompt.answer).front();
    }
    added.has_concept = at::zeros({static_cast<int64_t>(set.concepts.size())},
                                  at::TensorOptions(at::kBool));
    for (int c : prompt.concepts) added.has_concept[c] = true;
  }
  return CollectAsked(model, std::move(asked), hooks, room);
}

SaeDataset DatasetAt(const QuestionResiduals& questions, const HookPoint& hook,
                     const std::vector<std::string>& concepts,
                     at::Device device) {
  const at::Tensor& residuals = questions.by_hook.at(hook);
  return {
      .residuals = questions.block_rows > 0 ? residuals : residuals.to(device),
      .labels = questions.labels.to(device),
      .first_tokens = questions.first_tokens.to(device),
      .concepts = static_cast<int>(concepts.size()),
      .has_concept = questions.has_concept.defined()
                         ? questions.has_concept.to(device)
                         : at::Tensor(),
      .facets = FacetsOf(concepts),
      .block_rows = questions.block_rows};
}

}  // namespace alignsae
