#include "server/registry/model_registry.h"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_payload.h"
#include "model/scheduler/endings.h"

namespace alignsae {
namespace {

constexpr absl::Duration kRetryWhileStarting = absl::Seconds(1);

absl::Status Starting() {
  return WithRetryAfter(
      WithReason(absl::UnavailableError("server: is loading the model"),
                 kReasonStarting),
      kRetryWhileStarting);
}

absl::Status UnknownModel(absl::string_view name) {
  return FieldStatus(
      {"model", "be one that is loaded", Quoted(std::string(name))},
      absl::StatusCode::kNotFound);
}

}  // namespace

ModelRegistry::~ModelRegistry() { Stop(); }

absl::Status ModelRegistry::Load(const std::string& name, ModelLoader loader) {
  Reap();
  std::shared_ptr<ServedModel> model;
  {
    MutexLock lock(&mutex_);
    if (refuse_new_) return Draining();
    if (loading_.count(name) > 0) {
      return absl::FailedPreconditionError(absl::StrCat(
          "model: must not be loaded twice at once, got ", Quoted(name)));
    }
    model = ServedModel::Start(name, generations_[name] + 1, std::move(loader),
                               env_);
    loading_[name] = model;
  }
  return Install(model, model->WaitUntilLoaded());
}

absl::Status ModelRegistry::Install(const std::shared_ptr<ServedModel>& model,
                                    const absl::Status& loaded) {
  std::shared_ptr<ServedModel> out = model;
  absl::Status status = loaded;
  {
    MutexLock lock(&mutex_);
    loading_.erase(model->name());
    env_.metrics->generations().CountLoad(model->name(),
                                          loaded.ok() ? "ok" : "failed");
    if (status.ok() && refuse_new_) status = Draining();
    if (status.ok()) {
      std::swap(serving_[model->name()], out);
      generations_[model->name()] = model->generation();
      loaded_once_ = true;
    }
    if (out != nullptr) {
      out->Drain();
      retired_.push_back(std::move(out));
    }
  }
  Reap();
  return status;
}

absl::Status ModelRegistry::Unload(const std::string& name) {
  {
    MutexLock lock(&mutex_);
    const auto found = serving_.find(name);
    if (found == serving_.end()) return UnknownModel(name);
    found->second->Drain();
    retired_.push_back(std::move(found->second));
    serving_.erase(found);
  }
  Reap();
  return absl::OkStatus();
}

absl::StatusOr<ModelLease> ModelRegistry::Acquire(
    absl::string_view name) const {
  MutexLock lock(&mutex_);
  if (refuse_new_) return Draining();
  const std::string key(name.empty() ? kDefaultModel : name);
  if (const auto model = Serving(key); model != nullptr) {
    if (ModelLease lease = ServedModel::Lease(model)) return lease;
  }
  if (!loaded_once_ || loading_.count(key) > 0) return Starting();
  return UnknownModel(name);
}

void ModelRegistry::RefuseNew() {
  MutexLock lock(&mutex_);
  refuse_new_ = true;
  for (const auto& [name, model] : serving_) model->Drain();
}

void ModelRegistry::EndAll() {
  Models models;
  {
    MutexLock lock(&mutex_);
    refuse_new_ = true;
    models = All();
  }
  for (const auto& model : models) model->EndAll();
  for (const auto& model : models) model->WaitUntilStepsEnded();
}

void ModelRegistry::Stop() {
  EndAll();
  Models models;
  {
    MutexLock lock(&mutex_);
    models = All();
    serving_.clear();
    retired_.clear();
  }
  for (const auto& model : models) model->Join();
}

std::vector<GenerationInfo> ModelRegistry::List() const {
  std::vector<GenerationInfo> entries;
  {
    MutexLock lock(&mutex_);
    for (const auto& model : All()) {
      GenerationInfo info = model->info();
      if (info.state != ModelState::kGone) entries.push_back(std::move(info));
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const GenerationInfo& a, const GenerationInfo& b) {
              return std::tie(a.model, a.generation) <
                     std::tie(b.model, b.generation);
            });
  return entries;
}

std::vector<GenerationInfo> ModelRegistry::History() {
  Reap();
  std::vector<GenerationInfo> all;
  {
    MutexLock lock(&mutex_);
    all.assign(gone_.begin(), gone_.end());
  }
  for (GenerationInfo& info : List()) all.push_back(std::move(info));
  return all;
}

std::shared_ptr<ServedModel> ModelRegistry::Serving(
    const std::string& name) const {
  if (const auto found = serving_.find(name); found != serving_.end()) {
    return found->second;
  }
  const auto by_default = serving_.find(kDefaultModel);
  if (by_default == serving_.end() ||
      by_default->second->info().own_name != name) {
    return nullptr;
  }
  return by_default->second;
}

std::vector<std::string> ModelRegistry::Names() const {
  std::vector<std::string> names;
  MutexLock lock(&mutex_);
  for (const auto& [name, model] : serving_) {
    if (name == kDefaultModel) {
      names.insert(names.begin(), model->info().own_name);
    } else {
      names.push_back(name);
    }
  }
  return names;
}

absl::StatusOr<GenerationInfo> ModelRegistry::Info(
    const std::string& name) const {
  MutexLock lock(&mutex_);
  const auto found = serving_.find(name);
  if (found == serving_.end()) return UnknownModel(name);
  return found->second->info();
}

ModelRegistry::Models ModelRegistry::All() const {
  Models models = retired_;
  for (const auto& [name, model] : serving_) models.push_back(model);
  for (const auto& [name, model] : loading_) models.push_back(model);
  return models;
}

void ModelRegistry::Reap() {
  Models gone;
  {
    MutexLock lock(&mutex_);
    const auto kept = std::partition(
        retired_.begin(), retired_.end(),
        [](const auto& model) { return model->state() != ModelState::kGone; });
    std::move(kept, retired_.end(), std::back_inserter(gone));
    retired_.erase(kept, retired_.end());
    for (const auto& model : gone) {
      gone_.push_back(model->info());
      if (gone_.size() > kMaxGone) gone_.pop_front();
    }
  }
  for (const auto& model : gone) model->Join();
}

}  // namespace alignsae
