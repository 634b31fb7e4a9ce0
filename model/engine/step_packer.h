// StepPacker: the rows of a step as the model takes them. Rows of a fork that
// feed prompt tokens become
//
//   the tokens before the fork's position     one row, through all blocks
//   the tokens from there on (the trunk)      one row, up to the fork's site
//   each variant                              a row that continues the trunk
//
// so that what they share is computed once, and all variants run side by side
// in every block above: equal variants give equal bits. Logits that are wanted
// of what is before the fork's position are computed once, as the lead's.
//
// Thread-safety: made for one step.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_PACKER_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_PACKER_H_

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/transformer/residual_hook.h"

namespace alignsae {

class StepPacker {
 public:
  // `rows` must outlive the packer.
  explicit StepPacker(absl::Span<const StepRow> rows) : rows_(rows) {}

  // The row whose shared parts `row` uses, an index of `rows`; -1: none yet.
  int LeadOf(const StepRow& row) const;
  // Adds the row of `rows` that `packed.index` names.
  void Add(PackedRow packed);

  const std::vector<PackedRow>& packed() const { return packed_; }
  const std::vector<int32_t>& tokens() const { return tokens_; }
  // Rows that share with another one, and that one.
  const std::vector<std::pair<int, int>>& variants() const { return variants_; }

 private:
  struct Group {
    int lead = -1;
    int trunk = -1;  // Place in packed_; -1: the fork is not reached yet.
  };

  void AddTokens(PackedRow packed, int begin, int end);
  Group& GroupOf(const PackedRow& packed);

  absl::Span<const StepRow> rows_;
  std::vector<PackedRow> packed_;
  std::vector<int32_t> tokens_;
  std::vector<std::pair<int, int>> variants_;
  std::map<int, Group> groups_;  // By the fork's KV slot.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_PACKER_H_
