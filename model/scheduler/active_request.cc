#include "model/scheduler/active_request.h"

#include <algorithm>

namespace alignsae {

int64_t TokensOf(const SequenceSpec& sequence) {
  return static_cast<int64_t>(sequence.prompt.size()) + sequence.max_new_tokens;
}

int64_t TokensOf(const RequestSpec& spec) {
  int64_t tokens = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    tokens += TokensOf(sequence);
  }
  return tokens;
}

int PartSize(const QueuedUnit& unit, int free_kv_slots) {
  const RequestSpec& spec = unit.request->spec;
  const int count = static_cast<int>(unit.sequences.size());
  if (spec.grouping != Grouping::kAsManyAsFit) return count;
  const auto may_end = [&](int size) {
    return size == count ||
           !spec.sequences[unit.sequences[size]].follows.has_value();
  };
  int size = std::min(count, free_kv_slots);
  while (size > 0 && !may_end(size)) --size;
  if (size > 0) return size;
  do ++size;
  while (!may_end(size));
  return size;
}

int64_t PartTokens(const QueuedUnit& unit, int free_kv_slots) {
  int64_t tokens = 0;
  for (int i = 0; i < PartSize(unit, free_kv_slots); ++i) {
    tokens += TokensOf(unit.request->spec.sequences[unit.sequences[i]]);
  }
  return tokens;
}

int SlotsAtOnce(const RequestSpec& spec) {
  const int count = static_cast<int>(spec.sequences.size());
  if (spec.grouping == Grouping::kTogether) return count;
  int most = 0;
  int group = 0;
  for (const SequenceSpec& sequence : spec.sequences) {
    group = sequence.follows.has_value() ? group + 1 : 1;
    most = std::max(most, group);
  }
  return most;
}

bool RunsLong(const RequestSpec& spec) {
  return spec.grouping == Grouping::kAsManyAsFit ||
         std::any_of(spec.sequences.begin(), spec.sequences.end(),
                     [](const SequenceSpec& sequence) {
                       return sequence.max_new_tokens > kShortTokens;
                     });
}

bool IsSmall(const RequestSpec& spec) {
  return !RunsLong(spec) &&
         std::all_of(spec.sequences.begin(), spec.sequences.end(),
                     [](const SequenceSpec& sequence) {
                       return sequence.prompt.size() <= kSmallPrompt;
                     });
}

}  // namespace alignsae
