#include "model/sampling/adjust.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <set>

namespace alignsae {
namespace {

bool PenalisesRepetition(const SamplingParams& params) {
  return params.repetition_penalty != 1 && params.repetition_penalty > 0;
}

bool PenalisesGenerated(const SamplingParams& params) {
  return params.frequency_penalty != 0 || params.presence_penalty != 0;
}

float Finite(double score) {
  return static_cast<float>(std::clamp(score, -kMaxFloat, kMaxFloat));
}

}  // namespace

bool Adjusts(const SamplingParams& params) {
  return params.needs_history() || params.logit_bias != nullptr ||
         !params.banned.empty();
}

std::vector<float> Adjust(absl::Span<const float> logits,
                          const SamplingParams& params,
                          absl::Span<const int32_t> history, int generated) {
  std::vector<float> scores(logits.begin(), logits.end());
  const auto known = [&scores](int32_t token) {
    return token >= 0 && static_cast<size_t>(token) < scores.size();
  };
  if (PenalisesRepetition(params)) {
    const double penalty = params.repetition_penalty;
    for (int32_t token : std::set<int32_t>(history.begin(), history.end())) {
      if (!known(token)) continue;
      const double logit = scores[token];
      scores[token] = Finite(logit > 0 ? logit / penalty : logit * penalty);
    }
  }
  if (PenalisesGenerated(params)) {
    std::map<int32_t, int> counts;
    const size_t last = static_cast<size_t>(std::max(generated, 0));
    for (int32_t token : history.last(std::min(last, history.size()))) {
      ++counts[token];
    }
    for (const auto& [token, count] : counts) {
      if (!known(token)) continue;
      scores[token] = Finite(scores[token] - count * params.frequency_penalty -
                             params.presence_penalty);
    }
  }
  if (params.logit_bias != nullptr) {
    for (const TokenBias& entry : *params.logit_bias) {
      if (!known(entry.token)) continue;
      scores[entry.token] =
          Finite(static_cast<double>(scores[entry.token]) + entry.bias);
    }
  }
  for (int32_t token : params.banned) {
    if (known(token)) scores[token] = Finite(-kMaxFloat);
  }
  return scores;
}

}  // namespace alignsae
