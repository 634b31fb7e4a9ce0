#include "server/api/parse_sequence.h"

#include <memory>
#include <utility>

#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/parse_config.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"

namespace alignsae {

absl::StatusOr<SequenceSpec> ParseSequence(const v1::Prompt& prompt,
                                           const v1::GenerationConfig& config,
                                           std::optional<int> checkpoint,
                                           uint64_t fresh_seed,
                                           const ParseEnv& env) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> ids,
                            InField("prompt", ParsePrompt(prompt, env)));
  const int length = static_cast<int>(ids.size());
  ALIGNSAE_RETURN_IF_ERROR(InField("prompt", CheckLeavesRoom(length, env)));
  ALIGNSAE_ASSIGN_OR_RETURN(
      SequenceSpec sequence,
      InField("generation",
              ParseGenerationConfig(config, length, fresh_seed, env)));
  sequence.prompt = std::move(ids);
  sequence.reading_checkpoint = checkpoint;
  if (config.has_abort_when()) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        sequence.abort_when,
        InField("generation.abort_when",
                ParseCondition(config.abort_when(), checkpoint, env)));
  }
  return sequence;
}

absl::Status CheckNoTrace(const v1::GenerationConfig& config) {
  if (!config.concept_trace()) return absl::OkStatus();
  return InvalidField("generation.concept_trace", "be off", "on");
}

void AddSequence(SequenceSpec sequence, v1::Arm arm, RequestSpec& spec,
                 AskedGeneration& asked) {
  asked.arms.push_back({arm, sequence.interventions});
  spec.sequences.push_back(std::move(sequence));
}

void AddVariant(SequenceSpec sequence, v1::Arm arm,
                std::vector<Intervention> interventions, RequestSpec& spec,
                AskedGeneration& asked) {
  sequence.interventions = std::make_shared<const std::vector<Intervention>>(
      std::move(interventions));
  AddSequence(std::move(sequence), arm, spec, asked);
}

}  // namespace alignsae
