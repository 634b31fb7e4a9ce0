// How a recipe that went wrong looks in its figures, and what to change. One
// place for all who measure: training, evaluations and the reports of studies.
//
// Thread-safety: value types; pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_COMMON_SIGNATURES_H_
#define ALIGNSAE_MODEL_TRAIN_COMMON_SIGNATURES_H_

#include <optional>
#include <string>
#include <vector>

namespace alignsae {

// What was measured; the rest is absent, and nothing is said of it.
struct RecipeFigures {
  std::optional<double> read;  // Diagonal accuracy: the asked slot is on top.
  std::optional<double> swap;  // Success of swaps at `alpha`.
  std::optional<double> alpha;
  // The lowest of the concepts' (sae/written.h).
  std::optional<double> cosine;
  std::optional<double> written_share;
  std::optional<double> dead_share;  // Free features that never fire.
  struct AtAlpha {
    double alpha = 0;
    double swap = 0;
  };
  std::vector<AtAlpha> curve;  // By rising alpha.
  // Totals of each stage's epochs; stages have other terms.
  std::vector<std::vector<double>> losses;
};

struct Signature {
  std::string name;    // "low_diagonal_accuracy", ...
  std::string saw;     // The figures that show it, with the limit.
  std::string change;  // What to try.
};

// From which figures on.
inline constexpr double kLowRead = 0.9;
inline constexpr double kLowSwap = 0.5;
inline constexpr double kManyDead = 0.5;
inline constexpr double kUnstableRise = 1.25;  // Of the lowest epoch's loss.
inline constexpr double kCollapse = 0.5;       // Of the best alpha's swaps.
inline constexpr double kLeastToCollapse = 0.2;

// Those that the figures show, in the order of this list:
//   low_diagonal_accuracy     read < kLowRead
//   slots_do_not_write        cosine or written_share <= 0
//   high_binding_low_swap     read >= kLowRead and swap < kLowSwap
//   dead_features             dead_share > kManyDead
//   unstable_loss             a stage ends above kUnstableRise of its lowest
//   wrong_category_at_large_alpha  beyond the curve's best alpha, which gives
//                             kLeastToCollapse or more, swaps fall below
//                             kCollapse of it
std::vector<Signature> SignaturesOf(const RecipeFigures& figures);

// "  dead_features: 0.71 of ... Change: ...", a line each; "" for none.
std::string RenderSignatures(const std::vector<Signature>& signatures);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_COMMON_SIGNATURES_H_
