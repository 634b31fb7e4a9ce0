#include "server/registry/binding_check.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/scheduler/mean_reading.h"
#include "model/tokenizer/text_span.h"

namespace alignsae {
namespace {

constexpr int kRowsOfStep = 16;

// Where the server reads the prompt of `row`.
absl::StatusOr<std::vector<int>> PositionsOf(const ValidationPrompt& prompt,
                                             const StepRow& row,
                                             const Tokenizer& tokenizer,
                                             TrainedPositions trained) {
  if (!prompt.position_text.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const TextSpan span,
        FindTextSpan(prompt.position_text, row.tokens, tokenizer));
    std::vector<int> positions;
    const bool all = trained == TrainedPositions::kSpan;
    for (int i = all ? span.start : span.stop - 1; i < span.stop; ++i) {
      positions.push_back(i);
    }
    return positions;
  }
  const int position = prompt.position < 0 ? row.prompt_length + prompt.position
                                           : prompt.position;
  if (position >= 0 && position < row.prompt_length) {
    return std::vector<int>{position};
  }
  return InvalidField("position", "be inside the prompt", prompt.position);
}

absl::StatusOr<StepRow> RowOf(const ValidationPrompt& prompt,
                              const Catalog& catalog,
                              const Tokenizer& tokenizer, int checkpoint) {
  StepRow row;
  if (catalog.model.bos_token_id) {
    row.tokens.push_back(*catalog.model.bos_token_id);
  }
  for (int32_t token : tokenizer.Encode(prompt.text)) {
    row.tokens.push_back(token);
  }
  row.prompt_length = static_cast<int>(row.tokens.size());
  if (row.prompt_length < 1 ||
      row.prompt_length > catalog.model.context_length) {
    return InvalidField(
        "", absl::StrCat("have 1 to ", catalog.model.context_length, " tokens"),
        row.prompt_length);
  }
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  Observation observation;
  observation.checkpoint = checkpoint;
  ALIGNSAE_ASSIGN_OR_RETURN(
      observation.positions,
      PositionsOf(prompt, row, tokenizer,
                  catalog.checkpoints[checkpoint].trained));
  row.observations.push_back(std::move(observation));
  row.leave_after_observations = true;
  return row;
}

}  // namespace

absl::StatusOr<double> ReadStoredPrompts(StepExecutor& executor,
                                         const Catalog& catalog,
                                         const Tokenizer& tokenizer,
                                         int index) {
  const CheckpointInfo& checkpoint = catalog.checkpoints[index];
  std::vector<const ValidationPrompt*> asked;
  for (const ValidationPrompt& prompt : checkpoint.validation) {
    if (!prompt.concept_name.empty()) asked.push_back(&prompt);
  }
  if (asked.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint ", Quoted(checkpoint.name),
                     ": must have labelled prompts in its bundle, got none"));
  }
  const int64_t contexts =
      executor.kv_tokens() / std::max(1, catalog.model.context_length);
  const size_t rows =
      std::min<int64_t>({executor.kv_slots(), contexts, kRowsOfStep});
  size_t right = 0;
  for (size_t begin = 0; begin < asked.size(); begin += rows) {
    const size_t end = std::min(asked.size(), begin + rows);
    std::vector<StepRow> step;
    for (size_t i = begin; i < end; ++i) {
      absl::StatusOr<StepRow> row = InField(
          "stored prompts", RowOf(*asked[i], catalog, tokenizer, index));
      if (!row.ok()) {
        return absl::FailedPreconditionError(
            absl::StrCat("checkpoint ", Quoted(checkpoint.name), ": ",
                         row.status().message()));
      }
      row->kv_slot = static_cast<int>(i - begin);
      step.push_back(*std::move(row));
    }
    const std::vector<RowResult> results = executor.Step(step);
    for (size_t i = begin; i < end; ++i) {
      const RowResult& result = results[i - begin];
      ALIGNSAE_RETURN_IF_ERROR(result.status);
      const int top = MeanReading(result.readings, checkpoint.concepts).top;
      right += checkpoint.concepts[top].name == asked[i]->concept_name ? 1 : 0;
    }
  }
  return static_cast<double>(right) / static_cast<double>(asked.size());
}

absl::Status CheckBinding(StepExecutor& executor, const Catalog& catalog,
                          const Tokenizer& tokenizer, const BindingRule& rule) {
  if (rule.least <= 0) return absl::OkStatus();
  for (size_t i = 0; i < catalog.checkpoints.size(); ++i) {
    const CheckpointInfo& checkpoint = catalog.checkpoints[i];
    if (checkpoint.concepts.empty()) continue;  // A plain SAE binds nothing.
    ALIGNSAE_ASSIGN_OR_RETURN(
        const double rate,
        ReadStoredPrompts(executor, catalog, tokenizer, static_cast<int>(i)));
    if (rule.tell != nullptr) rule.tell(checkpoint.name, rate);
    if (rate >= rule.least) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("checkpoint ", Quoted(checkpoint.name),
                     ": must read at least ", ShowNumber(rule.least),
                     " of its stored prompts right (--require-binding), got ",
                     ShowNumber(rate)));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
