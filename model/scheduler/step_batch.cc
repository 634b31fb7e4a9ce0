#include "model/scheduler/step_batch.h"

#include <algorithm>
#include <map>

#include "model/base/dcheck.h"

namespace alignsae {
namespace {

// Adds a row of at most `chunk` prompt tokens for each member.
void AddRows(RunningUnit& unit, int chunk, StepBatch& batch) {
  std::map<int, int> row_of;  // By sequence.
  for (size_t i = 0; i < unit.members.size(); ++i) {
    if (!unit.members[i].has_value()) continue;
    const RunningMember& member = *unit.members[i];
    const int row = static_cast<int>(batch.rows.size());
    row_of[member.sequence.index()] = row;
    batch.rows.push_back(
        member.sequence.NextRow(member.kv_slot->index(), chunk));
    batch.rows.back().fork = unit.fork;
    batch.owners.emplace_back(&unit, i);
    if (!member.sequence.is_follower()) continue;
    // The one that it follows stands before it, and runs as long as it does.
    const auto leader = row_of.find(member.sequence.leader());
    ALIGNSAE_DCHECK(leader != row_of.end());
    if (batch.rows[row].sampling.has_value()) {
      batch.rows[leader->second].reference = row;
    }
  }
}

}  // namespace

int RunningUnit::live() const {
  return static_cast<int>(
      std::count_if(members.begin(), members.end(),
                    [](const auto& member) { return member.has_value(); }));
}

KvAmount RunningUnit::held() const {
  KvAmount held;
  if (prefix != nullptr) held += {1, prefix->writes().size()};
  for (const std::optional<RunningMember>& member : members) {
    if (!member.has_value() || member->kv_slot == prefix) continue;
    held += {1, member->kv_slot->writes().size()};
  }
  return held;
}

const Sequence& RunningUnit::first_live() const {
  const auto first =
      std::find_if(members.begin(), members.end(),
                   [](const auto& member) { return member.has_value(); });
  ALIGNSAE_DCHECK(first != members.end());
  return (*first)->sequence;
}

int RunningUnit::prompt_length() const { return first_live().prompt_length(); }

int RunningUnit::prompt_left() const { return first_live().prompt_left(); }

StepBatch BuildBatch(std::vector<RunningUnit>& running, int max_prompt_tokens) {
  StepBatch batch;
  int budget = max_prompt_tokens;
  for (RunningUnit& unit : running) {
    const int live = unit.live();
    if (live == 0 || unit.passed_over) continue;
    const int left = unit.prompt_left();
    if (left == 0) {
      AddRows(unit, 0, batch);
      continue;
    }
    // One sequence shares nothing; what it costs is what it feeds.
    const PromptFork alone = {.position = unit.prompt_length()};
    const PromptFork& fork = unit.fork.has_value() ? *unit.fork : alone;
    const int begin = unit.prompt_length() - left;
    const int end = ChunkEnd(fork, begin, unit.prompt_length(), live,
                             std::min(budget, unit.prompt_part));
    const int cost = ChunkCost(fork, begin, end, live);
    // Many variants of one position may pass the budget, but only alone. With
    // nothing left of the budget the prompt waits for a later step.
    if (cost > budget && budget < max_prompt_tokens) continue;
    AddRows(unit, end - begin, batch);
    budget -= cost;
    batch.prompt_tokens += cost;
    batch.prefix_tokens_saved += (end - begin) * live - cost;
  }
  return batch;
}

}  // namespace alignsae
