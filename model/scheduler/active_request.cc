#include "model/scheduler/active_request.h"

#include <algorithm>
#include <climits>
#include <numeric>

#include "model/scheduler/fork_plan.h"

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

namespace {

// What sequences hold that start together, one after the other: of the part of
// the prompt that they share the first one's alone.
class Together {
 public:
  void Add(const SequenceSpec& sequence) {
    shared_ = std::min(shared_, PartingPosition(sequence));
    tokens_ += TokensOf(sequence);
    ++count_;
  }
  int shared() const { return shared_; }
  int64_t tokens() const { return tokens_; }
  KvAmount kv() const {
    return {count_, tokens_ - int64_t{count_ - 1} * shared_};
  }

 private:
  int shared_ = INT_MAX;
  int64_t tokens_ = 0;
  int count_ = 0;
};

// Those of `sequences` in [begin, end).
Together SumOf(const RequestSpec& spec, const std::vector<int>& sequences,
               size_t begin, size_t end) {
  Together all;
  for (size_t i = begin; i < end; ++i) all.Add(spec.sequences[sequences[i]]);
  return all;
}

// Where those of `sequences` that must start in the same step as the one at
// `begin` end: all of them, or those that follow it.
size_t GroupEnd(const RequestSpec& spec, const std::vector<int>& sequences,
                size_t begin) {
  if (spec.grouping == Grouping::kTogether) return sequences.size();
  size_t end = begin + 1;
  while (end < sequences.size() &&
         spec.sequences[sequences[end]].follows.has_value()) {
    ++end;
  }
  return end;
}

}  // namespace

std::vector<KvRange> WritesOf(const RequestSpec& spec,
                              const std::vector<int>& sequences) {
  const int shared = SumOf(spec, sequences, 0, sequences.size()).shared();
  std::vector<KvRange> writes;
  for (int index : sequences) {
    const auto end = static_cast<int>(TokensOf(spec.sequences[index]));
    writes.push_back({writes.empty() ? 0 : shared, end});
  }
  return writes;
}

KvAmount HeldBy(const RequestSpec& spec, const std::vector<int>& sequences) {
  return SumOf(spec, sequences, 0, sequences.size()).kv();
}

KvAmount NeedOf(const QueuedUnit& unit) {
  const RequestSpec& spec = unit.request->spec;
  const size_t end = GroupEnd(spec, unit.sequences, 0);
  return SumOf(spec, unit.sequences, 0, end).kv();
}

UnitPart PartOf(const QueuedUnit& unit, const KvAmount& free) {
  const RequestSpec& spec = unit.request->spec;
  UnitPart part;
  Together all;
  for (size_t begin = 0; begin < unit.sequences.size();) {
    const size_t end = GroupEnd(spec, unit.sequences, begin);
    for (; begin < end; ++begin) {
      all.Add(spec.sequences[unit.sequences[begin]]);
    }
    if (part.sequences > 0 && !all.kv().FitsInto(free)) break;
    part = {static_cast<int>(end), all.kv(), all.tokens()};
  }
  return part;
}

KvAmount NeedAtOnce(const RequestSpec& spec) {
  std::vector<int> sequences(spec.sequences.size());
  std::iota(sequences.begin(), sequences.end(), 0);
  KvAmount most;
  for (size_t begin = 0; begin < sequences.size();) {
    const size_t end = GroupEnd(spec, sequences, begin);
    most = KvAmount::Most(most, SumOf(spec, sequences, begin, end).kv());
    begin = end;
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
