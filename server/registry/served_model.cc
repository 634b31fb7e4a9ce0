#include "server/registry/served_model.h"

#include <utility>

#include "model/scheduler/endings.h"
#include "server/process/log.h"
#include "server/registry/metrics_observer.h"
#include "server/registry/token_text.h"

namespace alignsae {

std::shared_ptr<ServedModel> ServedModel::Start(std::string name,
                                                uint64_t generation,
                                                ModelLoader loader,
                                                const ServedModelEnv& env) {
  std::shared_ptr<ServedModel> model(
      new ServedModel(std::move(name), generation, env));
  // Not a shared pointer: the model joins its thread before it goes.
  model->thread_ =
      std::thread([raw = model.get(), loader = std::move(loader)]() mutable {
        raw->Run(std::move(loader));
      });
  return model;
}

ServedModel::ServedModel(std::string name, uint64_t generation,
                         const ServedModelEnv& env)
    : name_(std::move(name)), generation_(generation), env_(env) {
  MutexLock lock(&mutex_);
  info_.model = name_;
  info_.generation = generation_;
  Enter(ModelState::kLoading);
}

ServedModel::~ServedModel() { Join(); }

absl::string_view ModelStateName(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "LOADING";
    case ModelState::kReady:
      return "READY";
    case ModelState::kDraining:
      return "DRAINING";
    case ModelState::kGone:
      return "GONE";
  }
  return "";
}

ModelState ServedModel::state() const {
  MutexLock lock(&mutex_);
  return info_.state;
}

GenerationInfo ServedModel::info() const {
  MutexLock lock(&mutex_);
  return info_;
}

int ServedModel::DefaultCheckpoint(absl::string_view request_id) const {
  if (env_.rollouts == nullptr) return 0;
  const Rollout rollout = env_.rollouts->Of(name_);
  if (!TakesCanary(rollout, request_id)) return 0;
  return catalog_->FindCheckpoint(rollout.canary).value_or(0);
}

void ServedModel::Enter(ModelState state) {
  info_.state = state;
  info_.since = env_.clock->Now();
  const absl::string_view name = ModelStateName(state);
  env_.metrics->generations().Entered(
      name_, generation_, state == ModelState::kGone ? "" : name, info_.since);
  LogLine line(info_.why.empty() ? LogLevel::kInfo : LogLevel::kError,
               "generation_state");
  line.Add("model", name_).Add("generation", generation_).Add("state", name);
  if (!info_.version.empty()) line.Add("version", info_.version);
  if (!info_.why.empty()) line.Add("why", info_.why);
}

absl::Status ServedModel::WaitUntilLoaded() {
  MutexLock lock(&mutex_);
  while (info_.state == ModelState::kLoading) changed_.Wait(&mutex_);
  return load_status_;
}

ModelLease ServedModel::Lease(const std::shared_ptr<ServedModel>& model) {
  {
    MutexLock lock(&model->mutex_);
    if (model->info_.state != ModelState::kReady) return nullptr;
    ++model->leases_;
  }
  return ModelLease(model.get(),
                    [model](const ServedModel*) { model->Release(); });
}

void ServedModel::Release() {
  MutexLock lock(&mutex_);
  if (--leases_ > 0) return;
  if (info_.state == ModelState::kDraining) scheduler_->EndAll();
  changed_.NotifyAll();
}

void ServedModel::Drain() {
  MutexLock lock(&mutex_);
  if (info_.state != ModelState::kReady) return;
  Enter(ModelState::kDraining);
  if (leases_ == 0) scheduler_->EndAll();
  changed_.NotifyAll();
}

void ServedModel::EndAll() {
  MutexLock lock(&mutex_);
  ending_ = true;
  if (info_.state == ModelState::kReady) Enter(ModelState::kDraining);
  if (info_.state == ModelState::kDraining && scheduler_ != nullptr) {
    scheduler_->EndAll();
  }
  changed_.NotifyAll();
}

void ServedModel::WaitUntilStepsEnded() {
  MutexLock lock(&mutex_);
  while (!steps_ended_) changed_.Wait(&mutex_);
}

void ServedModel::Join() {
  EndAll();
  if (thread_.joinable()) thread_.join();
}

void ServedModel::Run(ModelLoader loader) {
  absl::StatusOr<LoadedModel> loaded = loader();
  loader = nullptr;  // It may hold what an older generation stands on.
  const absl::Status status = loaded.status();
  if (loaded.ok()) Serve(*std::move(loaded));
  BecomeGone(status);
}

void ServedModel::Serve(LoadedModel loaded) {
  auto catalog = std::make_shared<Catalog>(*loaded.catalog);
  catalog->generation = generation_;
  if (name_ != kDefaultModel) catalog->model.name = name_;
  for (CheckpointInfo& checkpoint : catalog->checkpoints) {
    if (checkpoint.generation == 0) checkpoint.generation = generation_;
  }
  catalog_ = std::move(catalog);
  tokenizer_ = std::move(loaded.tokenizer);
  executor_ = std::move(loaded.executor);
  bundle_ = std::move(loaded.bundle);
  env_.metrics->SetLoadTimes(loaded.load_time, loaded.warm_up_time);
  {
    MetricsObserver observer(env_.metrics, name_, catalog_,
                             {executor_->kv_slots(), executor_->kv_tokens()},
                             env_.rollouts);
    Scheduler scheduler(
        env_.scheduler, executor_.get(), env_.clock,
        {catalog_, [tokenizer = tokenizer_](
                       int32_t id) { return TextBytes(*tokenizer, id); }},
        &observer);
    scheduler_ = &scheduler;
    LogLine(LogLevel::kInfo, "prefix_cache")
        .Add("model", name_)
        .Add("generation", generation_)
        .Add("most_tokens", env_.scheduler.prefix_cache_tokens);
    if (BecomeReady()) {
      while (scheduler.WaitForWork()) scheduler.RunOneStep();
    }
    MutexLock lock(&mutex_);
    steps_ended_ = true;
    changed_.NotifyAll();
    // Calls render their answers with what is theirs here.
    while (leases_ > 0) changed_.Wait(&mutex_);
    scheduler_ = nullptr;
  }
  executor_.reset();
  bundle_.reset();
  tokenizer_.reset();
}

bool ServedModel::BecomeReady() {
  MutexLock lock(&mutex_);
  if (ending_) {
    load_status_ = Draining();
    return false;
  }
  info_.own_name = catalog_->model.name;
  info_.bundle = catalog_->bundle_name;
  info_.version = catalog_->model.version;
  info_.sha256 = catalog_->model.sha256;
  for (const CheckpointInfo& checkpoint : catalog_->checkpoints) {
    info_.checkpoints.push_back({checkpoint.name, checkpoint.version,
                                 checkpoint.sha256, checkpoint.generation});
  }
  Enter(ModelState::kReady);
  changed_.NotifyAll();
  return true;
}

void ServedModel::BecomeGone(const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (!status.ok()) {
    load_status_ = status;
    info_.why = std::string(status.message());
  }
  steps_ended_ = true;
  Enter(ModelState::kGone);
  changed_.NotifyAll();
}

}  // namespace alignsae
