#include "server/registry/model_operator.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "model/base/field_error.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "server/process/log.h"

namespace alignsae {
namespace {

constexpr absl::Duration kRetryTurn = absl::Seconds(1);
// Loads of a bundle that is replaced again and again while it is read.
constexpr int kMaxTries = 5;

absl::Status CheckModelName(const std::string& model) {
  if (model.empty() || IsShelfName(model)) return absl::OkStatus();
  return InvalidField("model", kShelfNameRule, Quoted(model));
}

int64_t MiB(int64_t bytes) { return (bytes + (1 << 20) - 1) >> 20; }

absl::Status NoMemory(const MemoryNeed& need, int64_t left) {
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat(
          "memory: must have ", MiB(need.total()), " MiB free for this load (",
          MiB(need.weights), " of weights, ", MiB(need.reading),
          " more while they are read, ", MiB(need.checkpoints),
          " of checkpoints, ", MiB(need.cache), " of KV cache), got ",
          left >> 20)),
      kReasonLimit);
}

// What a loader says, with names for paths; the log has the paths. A file that
// is not as it must be is for the operator to mend, not a bug of ours.
absl::Status ForOperators(const std::string& model, const absl::Status& status,
                          const std::map<std::string, std::string>& names) {
  LogLine(LogLevel::kError, "load_failed")
      .Add("model", model)
      .Add("why", status.message());
  const absl::Status told = Told(status, names);
  if (ReasonOf(told) == kReasonMemory) {
    return WithReason(absl::ResourceExhaustedError(absl::StrCat(
                          "memory: ran out in the load: ", told.message())),
                      kReasonLimit);
  }
  if (absl::IsDataLoss(told) || absl::IsUnimplemented(told)) {
    return absl::FailedPreconditionError(told.message());
  }
  return told;
}

// What `loaded` shares with the generation before is as old as it was there.
void KeepAges(const GenerationInfo& before, LoadedModel& loaded) {
  auto catalog = std::make_shared<Catalog>(*loaded.catalog);
  for (CheckpointInfo& checkpoint : catalog->checkpoints) {
    for (const GenerationInfo::Checkpoint& old : before.checkpoints) {
      if (old.name == checkpoint.name && old.sha256 == checkpoint.sha256 &&
          old.version == checkpoint.version) {
        checkpoint.generation = old.generation;
      }
    }
  }
  loaded.catalog = std::move(catalog);
}

// That a checkpoint of this name was put beside.
void Forget(const std::string& name, EngineSetup& setup) {
  const auto is_it = [&name](const CheckpointSource& source) {
    return source.name == name;
  };
  setup.put.erase(std::remove_if(setup.put.begin(), setup.put.end(), is_it),
                  setup.put.end());
}

}  // namespace

absl::StatusOr<ModelOperator::Turn> ModelOperator::Turn::Take(
    ModelOperator* of) {
  MutexLock lock(&of->mutex_);
  if (of->busy_) {
    return WithRetryAfter(
        WithReason(absl::ResourceExhaustedError(
                       "server: is loading something; ask again when "
                       "ListCheckpoints shows nothing that is LOADING"),
                   kReasonLimit),
        kRetryTurn);
  }
  of->busy_ = true;
  return Turn(of);
}

ModelOperator::Turn::~Turn() {
  if (of_ == nullptr) return;
  MutexLock lock(&of_->mutex_);
  of_->busy_ = false;
}

ModelOperator::ModelOperator(Options options, ModelRegistry* registry,
                             GenerationMetrics* metrics, LoadingEnv env)
    : options_(std::move(options)),
      shelf_(options_.bundles_directory),
      registry_(registry),
      metrics_(metrics),
      env_(std::move(env)) {}

absl::Status ModelOperator::LoadFirst() {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  Source source{options_.setup, "", "", {}};
  source.stamp = VersionStamp(source.setup.model_directory);
  source.names[source.setup.model_directory] = "model";
  for (const std::string& sae : source.setup.sae_directories) {
    source.names[sae] = LastPart(sae);
  }
  const absl::StatusOr<MemoryNeed> need = env_.memory_to_load(source.setup);
  const int64_t left = env_.free_memory();
  if (need.ok() && need->total() > left) {
    metrics_->CountLoad(kDefaultModel, "refused");
    return NoMemory(*need, left);
  }
  ALIGNSAE_RETURN_IF_ERROR(registry_->Load(
      kDefaultModel, env_.loader(source.setup, /*beside_others=*/false)));
  Keep(kDefaultModel, std::move(source));
  return absl::OkStatus();
}

std::string ModelOperator::KeyOf(const std::string& model) const {
  if (model.empty()) return kDefaultModel;
  const absl::StatusOr<GenerationInfo> by_default =
      registry_->Info(kDefaultModel);
  return by_default.ok() && by_default->own_name == model ? kDefaultModel
                                                          : model;
}

ModelOperator::Source ModelOperator::NewSource() const {
  Source source{options_.setup, "", "", {}};
  source.setup.sae_directories.clear();
  source.setup.default_checkpoint.clear();
  return source;
}

absl::Status ModelOperator::LoadAnother(const std::string& model) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  if (registry_->Info(KeyOf(model)).ok()) {
    return InvalidField("models", "be other ones than those before it",
                        Quoted(model));
  }
  Source source = NewSource();
  source.bundle = model;
  return Reload(model, std::move(source)).status();
}

absl::StatusOr<GenerationInfo> ModelOperator::ReloadModel(
    const std::string& model, const std::string& bundle) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  absl::StatusOr<Source> known = SourceOf(model);
  if (!known.ok() && bundle.empty()) return known.status();
  ALIGNSAE_RETURN_IF_ERROR(CheckModelName(model));
  Source source = known.ok() ? *std::move(known) : NewSource();
  if (!bundle.empty()) {
    source.bundle = bundle;
    source.setup.sae_directories.clear();  // They lay beside what was there.
  }
  return Reload(KeyOf(model), std::move(source));
}

absl::Status ModelOperator::FindBeside(Source& source) const {
  for (CheckpointSource& put : source.setup.put) {
    const std::string bundle = source.names[put.directory];
    ALIGNSAE_ASSIGN_OR_RETURN(put.directory, shelf_.Find(bundle));
    source.names[put.directory] = bundle;
  }
  return absl::OkStatus();
}

absl::StatusOr<GenerationInfo> ModelOperator::Reload(const std::string& model,
                                                     Source source) {
  absl::Status loaded;
  for (int tries = 0; tries < kMaxTries; ++tries) {
    if (!source.bundle.empty()) {
      ALIGNSAE_ASSIGN_OR_RETURN(const std::string path,
                                shelf_.Find(source.bundle));
      source.names[path] = source.bundle;
      source.setup.model_directory = path;
    }
    ALIGNSAE_RETURN_IF_ERROR(FindBeside(source));
    source.stamp = VersionStamp(source.setup.model_directory);
    loaded = Load(model, source.setup, source);
    // It was replaced while it was read: the files were of two versions.
    if (loaded.ok() ||
        VersionStamp(source.setup.model_directory) == source.stamp) {
      break;
    }
  }
  if (!loaded.ok()) return loaded;
  Keep(model, std::move(source));
  return registry_->Info(model);
}

absl::StatusOr<EngineSetup> ModelOperator::OnWhatServes(
    const std::string& model, const Source& source) const {
  EngineSetup setup = source.setup;
  ALIGNSAE_ASSIGN_OR_RETURN(const ModelLease lease, registry_->Acquire(model));
  setup.base = lease->bundle();
  setup.put.clear();
  return setup;
}

absl::StatusOr<GenerationInfo> ModelOperator::LoadCheckpoint(
    const Wanted& wanted) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  ALIGNSAE_ASSIGN_OR_RETURN(Source source, SourceOf(wanted.model));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string path, shelf_.Find(wanted.bundle));
  source.names[path] = wanted.bundle;
  const std::string model = KeyOf(wanted.model);
  CheckpointSource put{path, wanted.sae, wanted.name};
  const absl::StatusOr<std::string> name = env_.name_to_serve(put);
  if (!name.ok()) return ForOperators(model, name.status(), source.names);
  put.name = *name;
  ALIGNSAE_ASSIGN_OR_RETURN(EngineSetup setup, OnWhatServes(model, source));
  setup.put = {put};
  ALIGNSAE_RETURN_IF_ERROR(Load(model, setup, source));
  put.only_if_absent = true;
  Forget(put.name, source.setup);
  source.setup.put.push_back(std::move(put));
  Keep(model, std::move(source));
  return registry_->Info(model);
}

absl::StatusOr<GenerationInfo> ModelOperator::UnloadCheckpoint(
    const std::string& model, const std::string& name) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Turn turn, Turn::Take(this));
  ALIGNSAE_ASSIGN_OR_RETURN(Source source, SourceOf(model));
  const std::string key = KeyOf(model);
  ALIGNSAE_ASSIGN_OR_RETURN(const GenerationInfo before, registry_->Info(key));
  const auto found = std::find_if(
      before.checkpoints.begin(), before.checkpoints.end(),
      [&](const auto& checkpoint) { return checkpoint.name == name; });
  if (found == before.checkpoints.end()) {
    return FieldStatus({"checkpoint", "be one that is loaded", Quoted(name)},
                       absl::StatusCode::kNotFound);
  }
  if (found == before.checkpoints.begin()) {
    return FieldStatus(
        {"checkpoint", "not be the default, which requests get that name none",
         absl::StrCat(Quoted(name), "; load another in its place")},
        absl::StatusCode::kFailedPrecondition);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(EngineSetup setup, OnWhatServes(key, source));
  setup.without = name;
  ALIGNSAE_RETURN_IF_ERROR(Load(key, setup, source));
  Forget(name, source.setup);
  Keep(key, std::move(source));
  return registry_->Info(key);
}

void ModelOperator::ReloadChanged() {
  absl::StatusOr<Turn> turn = Turn::Take(this);
  if (!turn.ok()) return;  // Looked at again soon.
  std::map<std::string, Source> sources;
  {
    MutexLock lock(&mutex_);
    sources = sources_;
  }
  for (auto& [model, source] : sources) {
    std::string path = source.setup.model_directory;
    if (!source.bundle.empty()) {
      const absl::StatusOr<std::string> found = shelf_.Find(source.bundle);
      if (!found.ok()) continue;  // Between two renames, or taken away.
      path = *found;
    }
    const std::string stamp = VersionStamp(path);
    if (stamp.empty() || stamp == source.stamp) continue;
    LogLine(LogLevel::kInfo, "version_found").Add("model", model);
    const absl::StatusOr<GenerationInfo> reloaded = Reload(model, source);
    if (reloaded.ok()) continue;
    LogLine(LogLevel::kError, "reload_failed")
        .Add("model", model)
        .Add("why", reloaded.status().message());
    // Not again until it changes; but for want of memory, which comes back.
    if (absl::IsResourceExhausted(reloaded.status())) continue;
    MutexLock lock(&mutex_);
    sources_[model].stamp = stamp;
  }
}

absl::Status ModelOperator::Load(const std::string& model,
                                 const EngineSetup& setup,
                                 const Source& source) {
  ALIGNSAE_RETURN_IF_ERROR(CheckMemory(model, setup, source));
  GenerationInfo before;  // Empty unless something of it stays.
  if (setup.base != nullptr) {
    ALIGNSAE_ASSIGN_OR_RETURN(before, registry_->Info(model));
  }
  ModelLoader loader = [load = env_.loader(setup, /*beside_others=*/true),
                        before, names = source.names,
                        model]() -> absl::StatusOr<LoadedModel> {
    absl::StatusOr<LoadedModel> loaded = load();
    if (!loaded.ok()) return ForOperators(model, loaded.status(), names);
    KeepAges(before, *loaded);
    return loaded;
  };
  return registry_->Load(model, std::move(loader));
}

absl::Status ModelOperator::CheckMemory(const std::string& model,
                                        const EngineSetup& setup,
                                        const Source& source) {
  const absl::StatusOr<MemoryNeed> need = env_.memory_to_load(setup);
  if (!need.ok()) {
    metrics_->CountLoad(model, "failed");
    return ForOperators(model, need.status(), source.names);
  }
  const int64_t left = env_.free_memory();
  if (need->total() <= left) return absl::OkStatus();
  metrics_->CountLoad(model, "refused");
  return NoMemory(*need, left);
}

absl::StatusOr<ModelOperator::Source> ModelOperator::SourceOf(
    const std::string& model) {
  MutexLock lock(&mutex_);
  const auto found = sources_.find(KeyOf(model));
  if (found != sources_.end()) return found->second;
  return FieldStatus({"model", "be one that is served", Quoted(model)},
                     absl::StatusCode::kNotFound);
}

void ModelOperator::Keep(const std::string& model, Source source) {
  MutexLock lock(&mutex_);
  sources_[model] = std::move(source);
}

}  // namespace alignsae
