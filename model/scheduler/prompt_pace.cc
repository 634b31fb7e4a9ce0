#include "model/scheduler/prompt_pace.h"

#include <algorithm>

namespace alignsae {
namespace {

// Shorter parts of prompts tell little: reading the weights takes most of them.
constexpr int kTelling = PromptPace::kLeast / 2;
// The weight of the last step in the mean.
constexpr double kNewestStep = 0.25;

}  // namespace

int PromptPace::Tokens(int most) const {
  if (token_ <= absl::ZeroDuration() || most <= kLeast) return most;
  const double tokens = absl::FDivDuration(step_, token_);
  return tokens >= most ? most : std::max(kLeast, static_cast<int>(tokens));
}

void PromptPace::Took(absl::Duration duration, int prompt_tokens, int rows) {
  if (prompt_tokens < kTelling) return;
  const absl::Duration token = duration / (prompt_tokens + rows);
  token_ = token_ <= absl::ZeroDuration()
               ? token
               : (1 - kNewestStep) * token_ + kNewestStep * token;
}

}  // namespace alignsae
