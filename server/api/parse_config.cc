#include "server/api/parse_config.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

constexpr int kDefaultNewTokens = 32;

absl::StatusOr<int> ParseNewTokens(const v1::GenerationConfig& wire,
                                   int prompt_length, const ParseEnv& env) {
  const int context = env.catalog->model.context_length;
  const int room = context - prompt_length;
  const int limit = env.limits->max_new_tokens;
  if (!wire.has_max_new_tokens()) {
    return std::min({kDefaultNewTokens, room, limit});
  }
  const int wanted = wire.max_new_tokens();
  if (wanted < 1 || wanted > limit) {
    return InvalidField("max_new_tokens",
                        absl::StrCat("be in [1, ", limit, "]"), wanted);
  }
  if (wanted > room) {
    return WithReason(
        InvalidField(
            "max_new_tokens",
            absl::StrCat("be at most ", room, " after a prompt of ",
                         prompt_length, " tokens"),
            absl::StrCat(wanted, "; the context has ", context, " positions")),
        kReasonPromptTooLong);
  }
  return wanted;
}

// Negated comparisons, so that NaN is refused too.
absl::StatusOr<SamplingParams> ParseSampling(const v1::GenerationConfig& wire,
                                             const ParseEnv& env) {
  if (!(wire.temperature() >= 0 && wire.temperature() <= 100)) {
    return InvalidField("temperature", "be in [0, 100]", wire.temperature());
  }
  const int vocabulary = env.catalog->model.vocab_size;
  if (wire.top_k() < 0 || wire.top_k() > vocabulary) {
    return InvalidField("top_k", absl::StrCat("be in [0, ", vocabulary, "]"),
                        wire.top_k());
  }
  if (wire.has_top_p() && !(wire.top_p() > 0 && wire.top_p() <= 1)) {
    return InvalidField("top_p", "be in (0, 1]", wire.top_p());
  }
  if (wire.has_repetition_penalty() &&
      !(wire.repetition_penalty() > 0 && wire.repetition_penalty() <= 10)) {
    return InvalidField("repetition_penalty", "be in (0, 10]",
                        wire.repetition_penalty());
  }
  const int max_logprobs = std::min(env.limits->max_top_logprobs, vocabulary);
  if (wire.top_logprobs() < 0 || wire.top_logprobs() > max_logprobs) {
    return InvalidField("top_logprobs",
                        absl::StrCat("be in [0, ", max_logprobs, "]"),
                        wire.top_logprobs());
  }
  SamplingParams sampling;
  sampling.temperature = wire.temperature();
  sampling.top_k = wire.top_k();
  if (wire.has_top_p()) sampling.top_p = wire.top_p();
  if (wire.has_repetition_penalty()) {
    sampling.repetition_penalty = wire.repetition_penalty();
  }
  sampling.n_logprobs = wire.top_logprobs();
  return sampling;
}

absl::Status CheckStops(const v1::GenerationConfig& wire, const ParseEnv& env) {
  const Limits& limits = *env.limits;
  if (wire.stop_sequences_size() > limits.max_stop_sequences) {
    return InvalidField(
        "stop_sequences",
        absl::StrCat("hold at most ", limits.max_stop_sequences, " of them"),
        wire.stop_sequences_size());
  }
  const size_t limit = static_cast<size_t>(limits.max_stop_sequence_bytes);
  for (int i = 0; i < wire.stop_sequences_size(); ++i) {
    const size_t size = wire.stop_sequences(i).size();
    if (size >= 1 && size <= limit) continue;
    return InvalidField(Indexed("stop_sequences", i),
                        absl::StrCat("hold 1 to ", limit, " bytes"), size);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLeavesRoom(int prompt_length, const ParseEnv& env) {
  const int limit = env.catalog->model.context_length - 1;
  if (prompt_length <= limit) return absl::OkStatus();
  return WithReason(
      InvalidField("",
                   absl::StrCat("have at most ", limit,
                                " tokens to leave room for an answer"),
                   prompt_length),
      kReasonPromptTooLong);
}

absl::StatusOr<SequenceSpec> ParseGenerationConfig(
    const v1::GenerationConfig& wire, int prompt_length, uint64_t fresh_seed,
    const ParseEnv& env) {
  SequenceSpec sequence;
  ALIGNSAE_ASSIGN_OR_RETURN(sequence.max_new_tokens,
                            ParseNewTokens(wire, prompt_length, env));
  ALIGNSAE_ASSIGN_OR_RETURN(sequence.sampling, ParseSampling(wire, env));
  ALIGNSAE_RETURN_IF_ERROR(CheckStops(wire, env));
  sequence.sampling.seed = wire.has_seed() ? wire.seed() : fresh_seed;
  sequence.ignore_eos = wire.ignore_eos();
  sequence.trace = wire.concept_trace();
  sequence.stop_sequences.assign(wire.stop_sequences().begin(),
                                 wire.stop_sequences().end());
  return sequence;
}

}  // namespace alignsae
