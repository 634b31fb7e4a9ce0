#include "server/api/parse_config.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
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
absl::Status CheckPenalties(const v1::GenerationConfig& wire) {
  if (wire.has_repetition_penalty() &&
      !(wire.repetition_penalty() > 0 && wire.repetition_penalty() <= 10)) {
    return InvalidField("repetition_penalty", "be in (0, 10]",
                        wire.repetition_penalty());
  }
  if (!(std::abs(wire.frequency_penalty()) <= 2)) {
    return InvalidField("frequency_penalty", "be in [-2, 2]",
                        wire.frequency_penalty());
  }
  if (!(std::abs(wire.presence_penalty()) <= 2)) {
    return InvalidField("presence_penalty", "be in [-2, 2]",
                        wire.presence_penalty());
  }
  return absl::OkStatus();
}

// Null when there is none.
absl::StatusOr<std::shared_ptr<const std::vector<TokenBias>>> ParseBias(
    const v1::GenerationConfig& wire, const ParseEnv& env) {
  const int limit = env.limits->max_logit_biases;
  if (static_cast<int>(wire.logit_bias().size()) > limit) {
    return InvalidField("logit_bias",
                        absl::StrCat("hold at most ", limit, " tokens"),
                        wire.logit_bias().size());
  }
  const int vocabulary = env.catalog->model.vocab_size;
  std::vector<TokenBias> biases;
  for (const auto& [token, bias] : wire.logit_bias()) {
    if (token < 0 || token >= vocabulary) {
      return InvalidField("logit_bias",
                          absl::StrCat("name tokens in [0, ", vocabulary, ")"),
                          token);
    }
    if (!(std::abs(bias) <= 100)) {
      return InvalidField(absl::StrCat("logit_bias[", token, "]"),
                          "be in [-100, 100]", bias);
    }
    biases.push_back({token, static_cast<float>(bias)});
  }
  if (biases.empty()) return nullptr;
  return std::make_shared<const std::vector<TokenBias>>(std::move(biases));
}

absl::Status CheckLogprobs(absl::string_view field, int wanted,
                           const ParseEnv& env) {
  const int limit =
      std::min(env.limits->max_top_logprobs, env.catalog->model.vocab_size);
  if (wanted >= 0 && wanted <= limit) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("be in [0, ", limit, "]"), wanted);
}

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
  ALIGNSAE_RETURN_IF_ERROR(CheckPenalties(wire));
  ALIGNSAE_RETURN_IF_ERROR(
      CheckLogprobs("top_logprobs", wire.top_logprobs(), env));
  SamplingParams sampling;
  sampling.temperature = wire.temperature();
  sampling.top_k = wire.top_k();
  if (wire.has_top_p()) sampling.top_p = wire.top_p();
  if (wire.has_repetition_penalty()) {
    sampling.repetition_penalty = wire.repetition_penalty();
  }
  sampling.frequency_penalty = wire.frequency_penalty();
  sampling.presence_penalty = wire.presence_penalty();
  ALIGNSAE_ASSIGN_OR_RETURN(sampling.logit_bias, ParseBias(wire, env));
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
  sequence.min_new_tokens = wire.min_new_tokens();
  if (sequence.min_new_tokens < 0 ||
      sequence.min_new_tokens > sequence.max_new_tokens) {
    return InvalidField(
        "min_new_tokens",
        absl::StrCat("be in [0, ", sequence.max_new_tokens, "]"),
        sequence.min_new_tokens);
  }
  if (wire.has_prompt_logprobs()) {
    ALIGNSAE_RETURN_IF_ERROR(
        CheckLogprobs("prompt_logprobs", wire.prompt_logprobs(), env));
    sequence.prompt_logprobs = wire.prompt_logprobs();
  }
  sequence.sampling.seed = wire.has_seed() ? wire.seed() : fresh_seed;
  sequence.ignore_eos = wire.ignore_eos();
  sequence.trace = wire.concept_trace();
  sequence.stop_sequences.assign(wire.stop_sequences().begin(),
                                 wire.stop_sequences().end());
  return sequence;
}

}  // namespace alignsae
