#include "model/train/sae/data.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/kv_cache.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {
namespace {

// Prompts in one forward pass. One cache slot each: on a GPU, 32 slots of GPT-2
// small take 2.4 GB.
constexpr size_t kChunk = 32;

// Keeps what each row has at its position, at the hook points of interest.
class PositionHook : public ResidualHook {
 public:
  // [chunk, D] each.
  using Kept = std::map<HookPoint, std::vector<at::Tensor>, PlaceOrder>;

  explicit PositionHook(Kept& kept) : kept_(kept) {}

  std::vector<int> positions;  // By row.

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
      wanted.push_back(row.offset + positions[row.index]);
    }
    const at::Tensor index =
        at::tensor(wanted, at::kLong).to(residual.device());
    wanted_here->second.push_back(
        residual.index_select(0, index).to(at::kCPU, at::kFloat));
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
  hook.positions.clear();
  std::vector<int32_t> tokens;
  std::vector<PackedRow> rows;
  for (const PositionedPrompt& prompt : chunk) {
    hook.positions.push_back(prompt.position);
    PackedRow row;
    row.index = row.kv_slot = static_cast<int>(rows.size());
    row.length = static_cast<int>(prompt.tokens.size());
    row.exit_site = exit_site;
    rows.push_back(row);
    tokens.insert(tokens.end(), prompt.tokens.begin(), prompt.tokens.end());
  }
  model.Forward(tokens, std::move(rows), cache, &hook);
}

}  // namespace

absl::StatusOr<ResidualsByHook> CollectResiduals(
    const Transformer& model, absl::Span<const PositionedPrompt> prompts,
    const std::vector<HookPoint>& hooks) {
  ResidualsByHook collected;
  if (hooks.empty() || prompts.empty()) return collected;
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
  return WithTorchFence([&] {
    PositionHook::Kept kept;
    for (const HookPoint& hook : hooks) kept[hook];
    const int exit_site = kept.rbegin()->first.site_behind();
    KvCache cache(facts, static_cast<int>(std::min(kChunk, prompts.size())),
                  model.device(), model.kv_type());
    PositionHook hook(kept);
    for (size_t begin = 0; begin < prompts.size(); begin += kChunk) {
      RunChunk(model, prompts.subspan(begin, kChunk), exit_site, cache, hook);
    }
    for (auto& [at, parts] : kept) collected[at] = at::cat(parts);
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
    const std::vector<HookPoint>& hooks) {
  QuestionResiduals questions;
  std::vector<int64_t> labels;
  std::vector<int64_t> first_tokens;
  std::vector<PositionedPrompt> located;
  for (EvalPrompt& prompt : MakePrompts(set, tokenizer, people, split)) {
    const std::vector<int32_t> answer = AnswerTokens(
        tokenizer, set.people[prompt.person].answers[prompt.relation]);
    labels.push_back(prompt.relation);
    first_tokens.push_back(answer.front());  // Starts with a blank.
    const int last = static_cast<int>(prompt.tokens.size()) - 1;
    located.push_back({std::move(prompt.tokens), last});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(questions.by_hook,
                            CollectResiduals(model, located, hooks));
  questions.labels = at::tensor(labels, at::kLong);
  questions.first_tokens = at::tensor(first_tokens, at::kLong);
  return questions;
}

absl::StatusOr<QuestionResiduals> CollectPrompts(
    const Transformer& model, const Tokenizer& tokenizer, const PromptSet& set,
    absl::Span<const PositionedPrompt> located, Split split,
    const std::vector<HookPoint>& hooks) {
  QuestionResiduals residuals;
  std::vector<PositionedPrompt> chosen;
  std::vector<int64_t> labels, first_tokens;
  std::vector<at::Tensor> has_concept;  // [R] each.
  for (size_t i = 0; i < set.prompts.size(); ++i) {
    const LabelledPrompt& prompt = set.prompts[i];
    if (prompt.split != split) continue;
    chosen.push_back(located[i]);
    labels.push_back(prompt.concepts.size() == 1 ? prompt.concepts[0] : -1);
    first_tokens.push_back(
        prompt.answer.empty() ? -1
                              : AnswerTokens(tokenizer, prompt.answer).front());
    at::Tensor row = at::zeros({static_cast<int64_t>(set.concepts.size())},
                               at::TensorOptions(at::kBool));
    for (int c : prompt.concepts) row[c] = true;
    has_concept.push_back(row);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(residuals.by_hook,
                            CollectResiduals(model, chosen, hooks));
  residuals.labels = at::tensor(labels, at::kLong);
  residuals.first_tokens = at::tensor(first_tokens, at::kLong);
  residuals.has_concept = at::stack(has_concept);
  return residuals;
}

SaeDataset DatasetAt(const QuestionResiduals& questions, const HookPoint& hook,
                     const std::vector<std::string>& concepts,
                     at::Device device) {
  return {.residuals = questions.by_hook.at(hook).to(device),
          .labels = questions.labels.to(device),
          .first_tokens = questions.first_tokens.to(device),
          .concepts = static_cast<int>(concepts.size()),
          .has_concept = questions.has_concept.defined()
                             ? questions.has_concept.to(device)
                             : at::Tensor(),
          .facets = FacetsOf(concepts)};
}

}  // namespace alignsae
