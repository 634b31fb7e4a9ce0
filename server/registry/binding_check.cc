#include "server/registry/binding_check.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr int kRowsOfStep = 16;

StepRow RowOf(const ValidationPrompt& prompt, const Catalog& catalog,
              const Tokenizer& tokenizer, int checkpoint) {
  StepRow row;
  if (catalog.model.bos_token_id) {
    row.tokens.push_back(*catalog.model.bos_token_id);
  }
  for (int32_t token : tokenizer.Encode(prompt.text)) {
    row.tokens.push_back(token);
  }
  row.prompt_length = static_cast<int>(row.tokens.size());
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  Observation observation;
  observation.checkpoint = checkpoint;
  observation.positions = {row.prompt_length - 1};
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
  const size_t rows = std::min(executor.kv_slots(), kRowsOfStep);
  size_t right = 0;
  for (size_t begin = 0; begin < asked.size(); begin += rows) {
    const size_t end = std::min(asked.size(), begin + rows);
    std::vector<StepRow> step;
    for (size_t i = begin; i < end; ++i) {
      StepRow& row =
          step.emplace_back(RowOf(*asked[i], catalog, tokenizer, index));
      row.kv_slot = static_cast<int>(i - begin);
      if (row.prompt_length >= 1 &&
          row.prompt_length <= catalog.model.context_length) {
        continue;
      }
      return absl::FailedPreconditionError(absl::StrCat(
          "checkpoint ", Quoted(checkpoint.name),
          ": stored prompts must have 1 "
          "to ",
          catalog.model.context_length, " tokens, got ", row.prompt_length));
    }
    const std::vector<RowResult> results = executor.Step(step);
    for (size_t i = begin; i < end; ++i) {
      const RowResult& result = results[i - begin];
      ALIGNSAE_RETURN_IF_ERROR(result.status);
      const int top = result.readings.front().top;
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
