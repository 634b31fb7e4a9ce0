#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "client/cli/render.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

std::string State(v1::GenerationState state) {
  return absl::StrReplaceAll(v1::GenerationState_Name(state),
                             {{"GENERATION_STATE_", ""}});
}

std::string Checkpoints(const v1::ModelGeneration& generation) {
  std::string all;
  for (const v1::LoadedCheckpoint& checkpoint : generation.checkpoints()) {
    absl::StrAppend(&all, all.empty() ? "" : ", ", checkpoint.name());
    if (!checkpoint.version().empty()) {
      absl::StrAppend(&all, " ", checkpoint.version());
    }
    absl::StrAppend(&all, " (", checkpoint.generation_id(), ")");
    if (checkpoint.name() == generation.rollout().shadow()) {
      absl::StrAppend(&all, " [shadow]");
    }
    if (checkpoint.name() == generation.rollout().canary()) {
      absl::StrAppend(&all, " [canary ", generation.rollout().canary_fraction(),
                      "]");
    }
  }
  return all.empty() ? generation.error() : all;
}

}  // namespace

std::string RenderGenerations(const v1::ListCheckpointsResponse& answer,
                              const Look& look) {
  Table table({"model", "generation", "state", "since", "version",
               "checkpoints (first generation)"});
  for (const v1::ModelGeneration& generation : answer.generations()) {
    const absl::Time since =
        absl::FromUnixSeconds(generation.state_time().seconds());
    table.Add(
        {generation.model(), absl::StrCat(generation.generation_id()),
         State(generation.state()),
         absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", since, absl::UTCTimeZone()),
         generation.version(), Checkpoints(generation)});
  }
  return table.ToString(look);
}

}  // namespace alignsae
