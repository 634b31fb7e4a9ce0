#include "server/registry/served_model.h"

#include <utility>

#include "model/scheduler/endings.h"
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
  model->thread_ = std::thread(
      [raw = model.get(), loader = std::move(loader)] { raw->Run(loader); });
  return model;
}

ServedModel::ServedModel(std::string name, uint64_t generation,
                         const ServedModelEnv& env)
    : name_(std::move(name)), generation_(generation), env_(env) {}

ServedModel::~ServedModel() { Join(); }

ModelState ServedModel::state() const {
  MutexLock lock(&mutex_);
  return state_;
}

absl::Status ServedModel::WaitUntilLoaded() {
  MutexLock lock(&mutex_);
  while (state_ == ModelState::kLoading) changed_.Wait(&mutex_);
  return load_status_;
}

ModelLease ServedModel::Lease(const std::shared_ptr<ServedModel>& model) {
  {
    MutexLock lock(&model->mutex_);
    if (model->state_ != ModelState::kReady) return nullptr;
    ++model->leases_;
  }
  return ModelLease(model.get(),
                    [model](const ServedModel*) { model->Release(); });
}

void ServedModel::Release() {
  MutexLock lock(&mutex_);
  if (--leases_ > 0) return;
  if (state_ == ModelState::kDraining) scheduler_->EndAll();
  changed_.NotifyAll();
}

void ServedModel::Drain() {
  MutexLock lock(&mutex_);
  if (state_ != ModelState::kReady) return;
  state_ = ModelState::kDraining;
  if (leases_ == 0) scheduler_->EndAll();
  changed_.NotifyAll();
}

void ServedModel::EndAll() {
  MutexLock lock(&mutex_);
  ending_ = true;
  if (state_ == ModelState::kReady) state_ = ModelState::kDraining;
  if (state_ == ModelState::kDraining && scheduler_ != nullptr) {
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

void ServedModel::Run(const ModelLoader& loader) {
  absl::StatusOr<LoadedModel> loaded = loader();
  const absl::Status status = loaded.status();
  if (loaded.ok()) Serve(*std::move(loaded));
  BecomeGone(status);
}

void ServedModel::Serve(LoadedModel loaded) {
  auto catalog = std::make_shared<Catalog>(*loaded.catalog);
  catalog->generation = generation_;
  catalog_ = std::move(catalog);
  tokenizer_ = std::move(loaded.tokenizer);
  executor_ = std::move(loaded.executor);
  env_.metrics->SetLoadTimes(loaded.load_time, loaded.warm_up_time);
  {
    MetricsObserver observer(env_.metrics, catalog_, executor_->kv_slots());
    Scheduler scheduler(
        env_.scheduler, executor_.get(), env_.clock,
        {catalog_, [tokenizer = tokenizer_](
                       int32_t id) { return TextBytes(*tokenizer, id); }},
        &observer);
    scheduler_ = &scheduler;
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
}

bool ServedModel::BecomeReady() {
  MutexLock lock(&mutex_);
  if (ending_) {
    load_status_ = Draining();
    return false;
  }
  state_ = ModelState::kReady;
  changed_.NotifyAll();
  return true;
}

void ServedModel::BecomeGone(const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (!status.ok()) load_status_ = status;
  steps_ended_ = true;
  state_ = ModelState::kGone;
  changed_.NotifyAll();
}

}  // namespace alignsae
