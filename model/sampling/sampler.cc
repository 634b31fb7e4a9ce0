#include "model/sampling/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/counter_rng.h"
#include "model/base/status_macros.h"
#include "model/kernels/kernels.h"
#include "model/sampling/adjust.h"

namespace alignsae {
namespace {

// exp(-87) is just above the smallest normal float.
constexpr float kMaxExponent = 87.0f;

// exp(-y) for y >= 0, relative error below 1e-7, and not below exp(-87). Plain
// arithmetic on bits, so that a loop over it vectorises: a vocabulary of 50,000
// takes a half to a quarter of what std::exp takes.
inline float ExpOfNegative(float y) {
  // Floats of one sign order as their bits do; an infinite y is cut as well.
  y = std::bit_cast<float>(std::min(std::bit_cast<int32_t>(y),
                                    std::bit_cast<int32_t>(kMaxExponent)));
  // -y = n ln 2 + f with f in [-ln 2 / 2, ln 2 / 2]. Adding 1.5 * 2^23 rounds
  // to an integer and leaves n in the low bits.
  constexpr float kRound = 12582912.0f;
  constexpr float kLn2High = 0.693359375f;
  constexpr float kLn2Low = -2.12194440e-4f;
  const float shifted = kRound - y * 1.44269504f;
  const float n = shifted - kRound;
  const float f = (-y - n * kLn2High) - n * kLn2Low;
  // Minimax polynomial of exp on that interval (Cephes, Moshier 1989).
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  const float e = p * f * f + f + 1.0f;
  return std::bit_cast<float>(std::bit_cast<int32_t>(e) +
                              (std::bit_cast<int32_t>(shifted) << 23));
}

absl::Status NotFinite(absl::Span<const float> logits) {
  const auto bad = std::find_if(logits.begin(), logits.end(),
                                [](float x) { return !std::isfinite(x); });
  return absl::OutOfRangeError(
      absl::StrCat("logits: must be finite, got ",
                   std::isnan(*bad) ? "nan" : (*bad > 0 ? "inf" : "-inf"),
                   " at token ", bad - logits.begin()));
}

// Index of the first of the largest. The value first: carrying the place along
// as std::max_element does is three times slower.
int32_t ArgMax(absl::Span<const float> values) {
  float max = values[0];
  for (float value : values) max = std::max(max, value);
  return static_cast<int32_t>(std::find(values.begin(), values.end(), max) -
                              values.begin());
}

// The order of everything here: the larger score first, then the lower id.
struct Before {
  absl::Span<const float> scores;
  bool operator()(int32_t a, int32_t b) const {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  }
};

std::vector<int32_t> AllTokens(size_t count) {
  std::vector<int32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

// The last of `order` that top-p keeps. Sorts only as far as it has to look.
int32_t LastOfNucleus(std::vector<int32_t> order,
                      absl::Span<const float> weights, double top_p,
                      const Before& before) {
  double total = 0;
  for (int32_t token : order) total += weights[token];
  // Tokens lighter than this weigh less than 1 - top_p together, even if all of
  // them were: the others alone reach top_p.
  const double light = (1 - top_p) * total / static_cast<double>(order.size());
  order.erase(
      std::remove_if(order.begin(), order.end(),
                     [&](int32_t token) { return weights[token] < light; }),
      order.end());
  double mass = 0;
  size_t sorted = 0;
  while (sorted < order.size()) {
    const size_t next =
        std::min(order.size(), std::max<size_t>(64, sorted * 8));
    const auto begin = order.begin() + static_cast<std::ptrdiff_t>(sorted);
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(next);
    if (end != order.end()) std::nth_element(begin, end, order.end(), before);
    std::sort(begin, end, before);
    for (auto it = begin; it != end; ++it) {
      mass += weights[*it];
      if (mass >= top_p * total) return *it;
    }
    sorted = next;
  }
  return order.back();  // Rounding left the mass just below.
}

// The last token that top-k and top-p keep, when one of them is on: the kept
// set is that token and all before it.
int32_t LastKept(absl::Span<const float> scores,
                 absl::Span<const float> weights, size_t top_k, double top_p) {
  const Before before{scores};
  std::vector<int32_t> order = AllTokens(scores.size());
  if (top_k < order.size()) {
    const auto kth = order.begin() + static_cast<std::ptrdiff_t>(top_k - 1);
    // A heap of k looks at most tokens only once; it loses to partitioning when
    // k is large.
    constexpr size_t kLargestHeap = 1024;
    if (top_k <= kLargestHeap) {
      std::partial_sort(order.begin(), kth + 1, order.end(), before);
    } else {
      std::nth_element(order.begin(), kth, order.end(), before);
    }
    order.resize(top_k);
  }
  return top_p < 1 ? LastOfNucleus(std::move(order), weights, top_p, before)
                   : order.back();
}

int32_t Draw(absl::Span<const float> scores, const SamplingParams& params,
             double uniform) {
  const float max = scores[ArgMax(scores)];
  // Kept finite, so that the distance 0 of the best token stays 0.
  const float inverse_temperature =
      static_cast<float>(std::min<double>(1 / params.temperature, kMaxFloat));
  // exp((score - max) / T); the floor of ExpOfNegative is taken off, so that
  // tokens beyond it cannot be drawn.
  const float floor = ExpOfNegative(kMaxExponent);
  std::vector<float> weights(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    weights[i] = ExpOfNegative((max - scores[i]) * inverse_temperature) - floor;
  }
  const size_t top_k = params.top_k > 0
                           ? std::min<size_t>(params.top_k, scores.size())
                           : scores.size();
  const double top_p = params.top_p > 0 ? params.top_p : 1;
  if (top_k < scores.size() || top_p < 1) {
    const int32_t last = LastKept(scores, weights, top_k, top_p);
    const Before before{scores};
    for (int32_t i = 0; i < static_cast<int32_t>(scores.size()); ++i) {
      if (before(last, i)) weights[i] = 0;
    }
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double mass = 0;
  int32_t token = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(weights.size()); ++i) {
    if (weights[i] == 0) continue;
    token = i;
    mass += weights[i];
    if (mass > uniform * total) break;
  }
  return token;
}

std::vector<TokenLogprob> MostLikely(absl::Span<const float> logits, int count,
                                     double log_normaliser) {
  const size_t n = std::min<size_t>(std::max(count, 0), logits.size());
  if (n == 0) return {};
  std::vector<int32_t> order = AllTokens(logits.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<int>(n),
                    order.end(), Before{logits});
  std::vector<TokenLogprob> top;
  for (size_t i = 0; i < n; ++i) {
    top.push_back(
        {order[i], static_cast<float>(std::max<double>(
                       logits[order[i]] - log_normaliser, -kMaxFloat))});
  }
  return top;
}

// Finite, and what a softmax needs of them.
absl::StatusOr<LogitSummary> Summarise(absl::Span<const float> logits) {
  if (logits.empty()) {
    return absl::InvalidArgumentError(
        "logits: must hold at least one token, got none");
  }
  const LogitSummary summary = CpuKernels().summarize(
      logits.data(), static_cast<int64_t>(logits.size()));
  if (!summary.finite) return NotFinite(logits);
  return summary;
}

// Of the raw logits, whatever the token was drawn from.
SampledToken Report(absl::Span<const float> logits, const LogitSummary& summary,
                    int32_t token, int n_logprobs) {
  const double log_normaliser = summary.max + summary.log_sum;
  SampledToken sampled;
  sampled.token = token;
  sampled.logprob = static_cast<float>(
      std::max<double>(logits[token] - log_normaliser, -kMaxFloat));
  sampled.top = MostLikely(logits, n_logprobs, log_normaliser);
  return sampled;
}

}  // namespace

absl::StatusOr<SampledToken> SampleToken(absl::Span<const float> logits,
                                         const SamplingParams& params,
                                         absl::Span<const int32_t> history,
                                         int position, int generated) {
  ALIGNSAE_ASSIGN_OR_RETURN(const LogitSummary summary, Summarise(logits));
  std::vector<float> adjusted;
  absl::Span<const float> scores = logits;
  if (Adjusts(params)) {
    adjusted = Adjust(logits, params, history, generated);
    scores = adjusted;
  }
  int32_t token = 0;
  if (params.temperature > 0) {
    token = Draw(scores, params,
                 RandomUniform(params.seed, static_cast<uint64_t>(position)));
  } else {
    token =
        adjusted.empty() ? static_cast<int32_t>(summary.best) : ArgMax(scores);
  }
  return Report(logits, summary, token, params.n_logprobs);
}

absl::StatusOr<SampledToken> ScoreToken(absl::Span<const float> logits,
                                        int32_t token, int n_logprobs) {
  ALIGNSAE_ASSIGN_OR_RETURN(const LogitSummary summary, Summarise(logits));
  if (token < 0 || static_cast<size_t>(token) >= logits.size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "token: must be in [0, ", logits.size(), "), got ", token));
  }
  return Report(logits, summary, token, n_logprobs);
}

}  // namespace alignsae
