#include "server/api/parse_readout.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/parse_intervention.h"
#include "server/api/parse_parts.h"
#include "server/api/reply_size.h"

namespace alignsae {
namespace {

constexpr int kDefaultTopFeatures = 10;

SequenceSpec Readout(std::vector<int32_t> prompt, Observation observation) {
  SequenceSpec sequence;
  sequence.prompt = std::move(prompt);
  sequence.interventions = std::make_shared<const std::vector<Intervention>>();
  sequence.reading_checkpoint = observation.checkpoint;
  sequence.observations.push_back(std::move(observation));
  return sequence;
}

absl::StatusOr<int> ParseTopK(const v1::InspectSlotsRequest& wire,
                              const CheckpointInfo& checkpoint,
                              const ParseEnv& env) {
  const int limit =
      std::min(checkpoint.n_features, env.limits->max_top_features);
  if (!wire.has_top_k()) {
    return checkpoint.whole_sae_loaded ? std::min(kDefaultTopFeatures, limit)
                                       : 0;
  }
  if (wire.top_k() < 0 || wire.top_k() > limit) {
    return InvalidField("top_k", absl::StrCat("be in [0, ", limit, "]"),
                        wire.top_k());
  }
  if (wire.top_k() > 0 && !checkpoint.whole_sae_loaded) {
    return FieldStatus(
        {"top_k", "be 0 when only concept slots are loaded",
         absl::StrCat(wire.top_k(), "; the server needs --whole-sae")},
        absl::StatusCode::kFailedPrecondition);
  }
  return wire.top_k();
}

// Whether a text's mean is read.
absl::StatusOr<bool> ParseSpanReading(const v1::ReadConceptsRequest& wire,
                                      int checkpoint, const ParseEnv& env) {
  const v1::SpanReading wanted = wire.span_reading();
  if (!v1::SpanReading_IsValid(wanted)) {
    return InvalidField("span_reading", "be LAST or MEAN",
                        static_cast<int>(wanted));
  }
  if (wanted == v1::SPAN_READING_UNSPECIFIED) {
    return ReadsSpans(checkpoint, env);
  }
  if (wire.position_text().empty()) {
    return InvalidField("span_reading", "be absent without position_text",
                        v1::SpanReading_Name(wanted));
  }
  return wanted == v1::SPAN_READING_MEAN;
}

}  // namespace

absl::StatusOr<ParsedReadout> ParseReadConcepts(
    const v1::ReadConceptsRequest& wire, const ParseEnv& env) {
  const int limit = env.limits->max_prompts_per_batch;
  if (wire.prompts_size() < 1 || wire.prompts_size() > limit) {
    return InvalidField("prompts",
                        absl::StrCat("hold 1 to ", limit, " prompts"),
                        wire.prompts_size());
  }
  ParsedReadout parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_RETURN_IF_ERROR(
      InField("checkpoint", CheckHasConcepts(parsed.checkpoint, env)));
  ALIGNSAE_ASSIGN_OR_RETURN(const bool mean,
                            ParseSpanReading(wire, parsed.checkpoint, env));
  const auto wanted =
      wire.has_position() ? std::optional<int>(wire.position()) : std::nullopt;
  for (int i = 0; i < wire.prompts_size(); ++i) {
    const std::string field = Indexed("prompts", i);
    ALIGNSAE_ASSIGN_OR_RETURN(
        std::vector<int32_t> prompt,
        InField(field, ParsePrompt(wire.prompts(i), env)));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const ReadPosition position,
        ParseReadPosition(wanted, wire.position_text(), prompt, field, env));
    Observation observation;
    observation.checkpoint = parsed.checkpoint;
    observation.positions = position.Read(mean);
    parsed.spec.sequences.push_back(
        Readout(std::move(prompt), std::move(observation)));
  }
  ALIGNSAE_RETURN_IF_ERROR(InField(
      "prompts",
      CheckReplyBytes(ReadBytes(parsed.spec, parsed.checkpoint, env), env)));
  return parsed;
}

absl::StatusOr<ParsedReadout> ParseInspectSlots(
    const v1::InspectSlotsRequest& wire, const ParseEnv& env) {
  ParsedReadout parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.top_k,
      ParseTopK(wire, env.catalog->checkpoints[parsed.checkpoint], env));
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                            InField("prompt", ParsePrompt(wire.prompt(), env)));
  if (wire.positions().generated()) {
    return InvalidField("positions.generated", "be false in a readout", "true");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      ResolvedPositions positions,
      InField("positions",
              ParsePositions(wire.positions(), PositionSelection::Prompt::kAll,
                             prompt, env)));
  Observation observation;
  observation.checkpoint = parsed.checkpoint;
  observation.positions = std::move(positions.prompt);
  observation.whole = parsed.top_k > 0;
  parsed.spec.sequences.push_back(
      Readout(std::move(prompt), std::move(observation)));
  ALIGNSAE_RETURN_IF_ERROR(InField(
      "top_k",
      CheckReplyBytes(InspectionBytes(parsed.spec.sequences[0],
                                      parsed.checkpoint, parsed.top_k, env),
                      env)));
  return parsed;
}

}  // namespace alignsae
