// Limits of what an intervention may do besides what it is for, and what stops
// an answer that passes one.
//
// Thread-safety: value types.

#ifndef ALIGNSAE_MODEL_STEERING_GUARD_H_
#define ALIGNSAE_MODEL_STEERING_GUARD_H_

#include <optional>

namespace alignsae {

enum class GuardKind { kNormRatio, kOffTarget, kKl };

// What is not given has no limit. Each is at least 0.
struct GuardLimits {
  // norm(change) / norm(h), of one edit.
  std::optional<double> norm_ratio = std::nullopt;
  // Change of another slot, in active means.
  std::optional<double> off_target = std::nullopt;
  // From the baseline, nats, at a token.
  std::optional<double> kl = std::nullopt;
};

struct GuardStop {
  GuardKind kind = GuardKind::kNormRatio;
  double limit = 0;
  double value = 0;
  int position = 0;  // Of the edit, or that the token would have had.
  // kOffTarget: whose slot.
  int checkpoint = 0;
  int column = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_GUARD_H_
