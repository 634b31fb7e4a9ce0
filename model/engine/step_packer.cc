#include "model/engine/step_packer.h"

#include <algorithm>

namespace alignsae {
namespace {

bool SharesPrompt(const StepRow& row) {
  return row.fork.has_value() && row.start < row.prompt_length;
}

}  // namespace

int StepPacker::LeadOf(const StepRow& row) const {
  if (!SharesPrompt(row)) return -1;
  const auto found = groups_.find(row.fork->kv_slot);
  return found == groups_.end() ? -1 : found->second.lead;
}

// Positions [begin, end) of the row's tokens.
void StepPacker::AddTokens(PackedRow packed, int begin, int end) {
  const StepRow& row = rows_[packed.index];
  packed.start = begin;
  packed.length = end - begin;
  packed.logits = std::min(packed.logits, packed.length);
  packed_.push_back(packed);
  tokens_.insert(tokens_.end(), row.tokens.begin() + (begin - row.start),
                 row.tokens.begin() + (end - row.start));
}

StepPacker::Group& StepPacker::GroupOf(const PackedRow& packed) {
  const StepRow& row = rows_[packed.index];
  const auto [found, made] = groups_.try_emplace(row.fork->kv_slot);
  Group& group = found->second;
  if (!made) {
    variants_.emplace_back(packed.index, group.lead);
    return group;
  }
  group.lead = packed.index;
  const int end = row.start + static_cast<int>(row.tokens.size());
  const int parting = std::clamp(row.fork->position, row.start, end);
  PackedRow shared = packed;
  shared.kv_slot = row.fork->kv_slot;
  // Every token's, where the prompt is scored.
  if (row.scored.empty()) shared.logits = 0;
  shared.fork = {};
  if (parting > row.start) AddTokens(shared, row.start, parting);
  if (parting < end) {
    shared.logits = 0;
    shared.exit_site = row.fork->site;
    shared.is_trunk = true;
    group.trunk = static_cast<int>(packed_.size());
    AddTokens(shared, parting, end);
  }
  return group;
}

void StepPacker::Add(PackedRow packed) {
  const StepRow& row = rows_[packed.index];
  const int end = row.start + static_cast<int>(row.tokens.size());
  if (!SharesPrompt(row)) {
    AddTokens(packed, row.start, end);
    return;
  }
  const Group& group = GroupOf(packed);
  if (group.trunk < 0) return;
  packed.continues = group.trunk;
  packed.start = packed_[group.trunk].start;
  packed.length = packed_[group.trunk].length;
  packed.logits = std::min(packed.logits, packed.length);
  packed_.push_back(packed);
}

}  // namespace alignsae
