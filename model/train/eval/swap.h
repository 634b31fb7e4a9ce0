// Swap success: ask for relation i, steer to relation j, and see whether the
// greedy answer is this person's j. And, without an edit, whether the language
// model answers at all.
//
// Counted over all tries, also where the unsteered answer was wrong; a person
// whose i and j have the same gold answer is left out of (i, j).
//
// Thread-safety: value types; free functions, which own the executor meanwhile.
// Errors: those of the engine's steps.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_SWAP_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_SWAP_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"
#include "model/steering/intervention.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/eval_set.h"

namespace alignsae {

// How many of `tries` were right, by the three rules.
struct SuccessCounts {
  int64_t tries = 0;
  int64_t whole = 0;      // The rule that counts; see answer.h.
  int64_t first = 0;      // The first token is the gold answer's.
  int64_t substring = 0;  // The authors' rule.

  void Add(const SuccessCounts& other);
  double Rate(int64_t right) const {
    return tries > 0 ? static_cast<double>(right) / static_cast<double>(tries)
                     : 0;
  }
};

// Split by whether questions about the person trained the language model.
struct HalvesCounts {
  SuccessCounts asked;
  SuccessCounts never_asked;

  SuccessCounts& of(bool is_asked) { return is_asked ? asked : never_asked; }
  SuccessCounts all() const;
  void Add(const HalvesCounts& other);
};

// A way to steer from relation i to relation j with one checkpoint.
struct Steering {
  int checkpoint = 0;
  InterventionMode mode = InterventionMode::kSwap;
  struct Slots {
    std::optional<int> source;  // SWAP and REPLACE.
    int target = 0;
  };
  std::vector<std::vector<Slots>> slots;  // [i][j]; the diagonal is not used.
};

// Concept slot `slot_of[r]` stands for relation r.
Steering SlotSteering(int checkpoint, InterventionMode mode,
                      const std::vector<int>& slot_of);

struct EvalContext {
  StepExecutor& executor;
  const Tokenizer& tokenizer;
  const EvalSet& set;
  std::shared_ptr<const Catalog> catalog;  // What the executor runs.
  int max_tokens = 12;                     // Of an answer.
  // Answers done and to do. May be empty; an error stops the measurement.
  std::function<absl::Status(int64_t done, int64_t total)> on_progress;
};

// Success of each ordered pair at each alpha.
struct SwapTable {
  std::vector<double> alphas;
  // [alpha][i][j]
  std::vector<std::vector<std::vector<HalvesCounts>>> pairs;
  std::vector<double> chance;  // [j], ChanceOf the people who were asked about.

  HalvesCounts Total(size_t alpha) const;
  HalvesCounts Target(size_t alpha, int j) const;  // Over all sources.
  // Index of the alpha with the highest whole-string rate; of equals the one
  // nearest to 1.
  size_t BestAlpha() const;
};

// How often an answer to relation `j` is right that is drawn blindly from those
// of `people`: the sum of p(v)^2 over the answers v, p(v) of them having it.
// Answers that many share (7 continents) are right by chance often.
double ChanceOf(const EvalSet& set, const std::vector<int>& people, int j);

// Success beyond chance: (success - chance) / (1 - chance), 1 where all is
// right, 0 where it is chance, below 0 where it is worse. The correction is
// Scott's pi (W. A. Scott, "Reliability of Content Analysis", Public Opinion
// Quarterly 19, 1955), whose expected agreement ChanceOf is. NaN where chance
// is 1.
double AboveChance(double success, double chance);

absl::StatusOr<SwapTable> MeasureSwaps(const EvalContext& context,
                                       const std::vector<EvalPrompt>& prompts,
                                       const Steering& steering,
                                       const std::vector<double>& alphas);

// Unsteered answers, by relation.
absl::StatusOr<std::vector<HalvesCounts>> MeasureAnswers(
    const EvalContext& context, const std::vector<EvalPrompt>& prompts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_SWAP_H_
