// What operators do to models without loading anything.

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/registry/model_operator.h"

namespace alignsae {
namespace {

// One that may stand beside the default checkpoint; empty: none is asked for.
absl::Status CheckBeside(const std::string& field, const std::string& name,
                         const Catalog& catalog) {
  if (name.empty()) return absl::OkStatus();
  const std::optional<int> found = catalog.FindCheckpoint(name);
  if (!found.has_value()) {
    return FieldStatus({field, "be a checkpoint that is loaded", Quoted(name)},
                       absl::StatusCode::kNotFound);
  }
  if (*found == 0) {
    return FieldStatus(
        {field, "be another one than the default checkpoint", Quoted(name)},
        absl::StatusCode::kFailedPrecondition);
  }
  if (catalog.checkpoints[*found].concepts.empty()) {
    return FieldStatus({field, "have concepts",
                        absl::StrCat(Quoted(name), ", which has none")},
                       absl::StatusCode::kFailedPrecondition);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GenerationInfo> ModelOperator::UnloadModel(
    const std::string& model) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  if (model.empty()) return InvalidField("model", "be given", "none");
  ALIGNSAE_RETURN_IF_ERROR(SourceOf(model).status());
  const std::string key = KeyOf(model);
  if (key == kDefaultModel) {
    return FieldStatus(
        {"model", "not be the default, which requests get that name none",
         Quoted(model)},
        absl::StatusCode::kFailedPrecondition);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(GenerationInfo gone, registry_->Info(key));
  ALIGNSAE_RETURN_IF_ERROR(registry_->Unload(key));
  registry_->rollouts().Set(key, Rollout());
  {
    MutexLock lock(&mutex_);
    sources_.erase(key);
  }
  for (const GenerationInfo& info : registry_->History()) {
    if (info.model == gone.model && info.generation == gone.generation) {
      gone = info;
    }
  }
  return gone;
}

absl::StatusOr<GenerationInfo> ModelOperator::SetRollout(
    const std::string& model, const Rollout& rollout) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  ALIGNSAE_RETURN_IF_ERROR(SourceOf(model).status());
  const std::string key = KeyOf(model);
  if (!(rollout.canary_fraction >= 0 && rollout.canary_fraction <= 1)) {
    return InvalidField("rollout.canary_fraction", "be in [0, 1]",
                        rollout.canary_fraction);
  }
  if (rollout.canary.empty() && rollout.canary_fraction > 0) {
    return InvalidField("rollout.canary", "be given beside canary_fraction",
                        "none");
  }
  {
    ALIGNSAE_ASSIGN_OR_RETURN(const ModelLease lease, registry_->Acquire(key));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckBeside("rollout.shadow", rollout.shadow, lease->catalog()));
    ALIGNSAE_RETURN_IF_ERROR(
        CheckBeside("rollout.canary", rollout.canary, lease->catalog()));
  }
  registry_->rollouts().Set(key, rollout);
  return registry_->Info(key);
}

}  // namespace alignsae
