#include "server/api/parse.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

constexpr int kMaxDetokenizeIds = 65536;
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
    return Invalid("top_k", absl::StrCat("be in [0, ", limit, "]"),
                   wire.top_k());
  }
  if (wire.top_k() > 0 && !checkpoint.whole_sae_loaded) {
    return absl::FailedPreconditionError(absl::StrCat(
        "top_k: must be 0 when only concept slots are loaded, got ",
        wire.top_k(), "; the server needs --whole-sae"));
  }
  return wire.top_k();
}

}  // namespace

absl::StatusOr<ParsedReadout> ParseReadConcepts(
    const v1::ReadConceptsRequest& wire, const ParseEnv& env) {
  const int limit = env.limits->max_prompts_per_batch;
  if (wire.prompts_size() < 1 || wire.prompts_size() > limit) {
    return Invalid("prompts", absl::StrCat("hold 1 to ", limit, " prompts"),
                   wire.prompts_size());
  }
  ParsedReadout parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.checkpoint, FindCheckpoint(wire.checkpoint(), "checkpoint", env));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckHasConcepts(parsed.checkpoint, "checkpoint", env));
  const int wanted = wire.has_position() ? wire.position() : -1;
  int64_t tokens = 0;
  for (int i = 0; i < wire.prompts_size(); ++i) {
    const std::string field = absl::StrCat("prompts[", i, "]");
    ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                              ParsePrompt(wire.prompts(i), field, env));
    const int length = static_cast<int>(prompt.size());
    if (wanted < -length || wanted >= length) {
      return Invalid("position",
                     absl::StrCat("be in [", -length, ", ", length - 1, "]"),
                     absl::StrCat(wanted, "; ", field, " has ", length,
                                  length == 1 ? " token" : " tokens"));
    }
    tokens += length;
    Observation observation;
    observation.checkpoint = parsed.checkpoint;
    observation.positions = {wanted < 0 ? wanted + length : wanted};
    parsed.spec.sequences.push_back(
        Readout(std::move(prompt), std::move(observation)));
  }
  const int64_t concepts = static_cast<int64_t>(
      env.catalog->checkpoints[parsed.checkpoint].concepts.size());
  ALIGNSAE_RETURN_IF_ERROR(CheckReplyBytes(
      5 * tokens + wire.prompts_size() * (128 + 8 * concepts) + 128 * concepts,
      "prompts", env));
  return parsed;
}

absl::StatusOr<ParsedReadout> ParseInspectSlots(
    const v1::InspectSlotsRequest& wire, const ParseEnv& env) {
  ParsedReadout parsed;
  ALIGNSAE_ASSIGN_OR_RETURN(
      parsed.checkpoint, FindCheckpoint(wire.checkpoint(), "checkpoint", env));
  const CheckpointInfo& checkpoint =
      env.catalog->checkpoints[parsed.checkpoint];
  ALIGNSAE_ASSIGN_OR_RETURN(parsed.top_k, ParseTopK(wire, checkpoint, env));
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> prompt,
                            ParsePrompt(wire.prompt(), "prompt", env));
  if (wire.positions().generated()) {
    return Invalid("positions.generated", "be false in a readout", "true");
  }
  const int length = static_cast<int>(prompt.size());
  ALIGNSAE_ASSIGN_OR_RETURN(
      const ResolvedPositions positions,
      ParsePositions(wire.positions(), "positions",
                     PositionSelection::Prompt::kAll, length));
  Observation observation;
  observation.checkpoint = parsed.checkpoint;
  observation.positions = positions.prompt;
  observation.whole = parsed.top_k > 0;
  const int64_t concepts = static_cast<int64_t>(checkpoint.concepts.size());
  const int64_t rows = static_cast<int64_t>(positions.prompt.size());
  ALIGNSAE_RETURN_IF_ERROR(CheckReplyBytes(
      5 * int64_t{length} + rows * (192 + 8 * concepts + 13 * parsed.top_k) +
          128 * concepts,
      "top_k", env));
  parsed.spec.sequences.push_back(
      Readout(std::move(prompt), std::move(observation)));
  return parsed;
}

absl::StatusOr<ParsedText> ParseTokenize(const v1::TokenizeRequest& wire,
                                         const ParseEnv& env) {
  ParsedText parsed;
  parsed.parse_special = wire.parse_special();
  switch (wire.input_case()) {
    case v1::TokenizeRequest::kText:
      ALIGNSAE_RETURN_IF_ERROR(CheckTextBytes(wire.text(), "text", env));
      parsed.text = wire.text();
      return parsed;
    case v1::TokenizeRequest::kQuestion: {
      ALIGNSAE_RETURN_IF_ERROR(
          CheckTextBytes(wire.question(), "question", env));
      ALIGNSAE_ASSIGN_OR_RETURN(
          parsed.text, ApplyTemplate(wire.question(), "question", env));
      return parsed;
    }
    case v1::TokenizeRequest::INPUT_NOT_SET:
      break;
  }
  return Invalid("input", "set one of text and question", "none");
}

absl::StatusOr<std::vector<int32_t>> ParseDetokenize(
    const v1::DetokenizeRequest& wire, const ParseEnv& env) {
  if (wire.token_ids_size() < 1 || wire.token_ids_size() > kMaxDetokenizeIds) {
    return Invalid("token_ids",
                   absl::StrCat("hold 1 to ", kMaxDetokenizeIds, " ids"),
                   wire.token_ids_size());
  }
  // What the model can generate: more than the tokenizer has where its weights
  // are padded.
  const int vocabulary = env.catalog->model.vocab_size;
  for (int i = 0; i < wire.token_ids_size(); ++i) {
    if (wire.token_ids(i) < 0 || wire.token_ids(i) >= vocabulary) {
      return Invalid(absl::StrCat("token_ids[", i, "]"),
                     absl::StrCat("be in [0, ", vocabulary - 1, "]"),
                     wire.token_ids(i));
    }
  }
  return std::vector<int32_t>(wire.token_ids().begin(), wire.token_ids().end());
}

absl::StatusOr<std::vector<int>> ParseListConcepts(
    const v1::ListConceptsRequest& wire, const ParseEnv& env) {
  if (wire.checkpoint().empty()) {
    std::vector<int> all(env.catalog->checkpoints.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      FindCheckpoint(wire.checkpoint(), "checkpoint", env));
  return std::vector<int>{checkpoint};
}

}  // namespace alignsae
