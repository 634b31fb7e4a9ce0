// ServedModel: one loaded generation of a model with the thread that runs it.
//
//   LOADING   its step thread loads and warms up
//   READY     leases are given; requests run
//   DRAINING  no new leases; those that are out work on, submitting included
//   GONE      no lease is out; engine, cache and scheduler are destroyed. Also
//             what could not be loaded
//
// Everything that opens an OpenMP region (load, warm-up, steps, and the end of
// the engine) happens on the one step thread that it starts, so that there is
// one OpenMP pool and its threads spin. While another generation of it is
// loaded there are two pools, and both sleep instead of spinning until the old
// one is gone.
//
// The checkpoints of one model (several SAEs on one GPT-2, as a bundle holds
// them) are one ServedModel: they share engine, KV cache and scheduler.
//
// Ownership: ModelRegistry makes and ends it. A call has a ModelLease, for
// which everything that the accessors give lives on; the engine cannot go
// before the last lease. A lease may be dropped on any thread, the step thread
// too: nothing is destroyed there and then.
//
// Threads: the accessors, with a lease, from any thread; they do not block.
// WaitUntilLoaded, WaitUntilStepsEnded and Join block, for as long as a load, a
// step, and the last lease take: never on a gRPC thread or in a lane's task.
// Not for: choosing a model by name, which is the registry's.

#ifndef ALIGNSAE_SERVER_REGISTRY_SERVED_MODEL_H_
#define ALIGNSAE_SERVER_REGISTRY_SERVED_MODEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/mutex.h"
#include "model/engine/step_executor.h"
#include "model/scheduler/scheduler.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "server/metrics/metrics.h"
#include "server/registry/rollout.h"

namespace alignsae {

struct Bundle;  // model/bundle/bundle.h

// What a loader gives. The executor is used and destroyed on the thread that
// the loader ran on.
struct LoadedModel {
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<StepExecutor> executor;
  // How long it took to read and prepare, and to run the first steps.
  absl::Duration load_time = absl::ZeroDuration();
  absl::Duration warm_up_time = absl::ZeroDuration();
  // What the executor stands on, for the loader of the next generation; may be
  // null.
  std::shared_ptr<const Bundle> bundle = nullptr;
};
// Called once, on the step thread. Leaves the executor warm: it has run a
// prompt and a decode step.
using ModelLoader = std::function<absl::StatusOr<LoadedModel>()>;

enum class ModelState { kLoading, kReady, kDraining, kGone };
absl::string_view ModelStateName(ModelState state);  // "LOADING", ...

// One generation of a model, as it is told of.
struct GenerationInfo {
  struct Checkpoint {
    std::string name;
    std::string version;
    std::string sha256;
    uint64_t generation = 0;  // The first that had it.
  };
  std::string model;  // As the registry calls it.
  uint64_t generation = 0;
  ModelState state = ModelState::kLoading;
  absl::Time since;  // When it came to that state.
  std::string why;   // It could not be loaded; else empty.
  // Empty until it is loaded.
  std::string own_name;  // As AnswerInfo tells it.
  std::string bundle;
  std::string version;
  std::string sha256;                   // Of the model's weights.
  std::vector<Checkpoint> checkpoints;  // The default one first.
};

// The name of the model that a request means that names none. Other models are
// told of by the name that they are served under, this one by its own.
inline constexpr char kDefaultModel[] = "default";

// What all served models share; outlives them.
struct ServedModelEnv {
  SchedulerOptions scheduler;
  const Clock* clock = nullptr;
  Metrics* metrics = nullptr;
  const Rollouts* rollouts = nullptr;  // Null: there are none.
};

class ServedModel;
// A call's hold on the model that it began with; copies share it.
using ModelLease = std::shared_ptr<const ServedModel>;

class ServedModel {
 public:
  // Starts loading. `generation` becomes the catalog's.
  static std::shared_ptr<ServedModel> Start(std::string name,
                                            uint64_t generation,
                                            ModelLoader loader,
                                            const ServedModelEnv& env);
  // Join().
  ~ServedModel();
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  const std::string& name() const { return name_; }
  uint64_t generation() const { return generation_; }

  // With a lease.
  const Catalog& catalog() const { return *catalog_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  Scheduler& scheduler() const { return *scheduler_; }
  // Index of the checkpoint that answers a request that names none.
  int DefaultCheckpoint(absl::string_view request_id) const;
  // For what no step is needed for; Step is the step thread's.
  const StepExecutor& executor() const { return *executor_; }

  // What Load's caller may build the next generation on.
  const std::shared_ptr<const Bundle>& bundle() const { return bundle_; }

  ModelState state() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Without a lease too.
  GenerationInfo info() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until it is READY, or GONE with what the loader said.
  absl::Status WaitUntilLoaded() ABSL_LOCKS_EXCLUDED(mutex_);

  // nullptr unless `model` is READY.
  static ModelLease Lease(const std::shared_ptr<ServedModel>& model);

  // DRAINING; GONE as soon as no lease is out. Does not wait. No effect before
  // READY and after it.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);
  // DRAINING, and every request ends before the next step, UNAVAILABLE. A model
  // that still loads will be GONE instead of READY. Does not wait.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks until no step runs and none will: after EndAll, or when all leases
  // are back after Drain. Every sink has got its RequestDone then.
  void WaitUntilStepsEnded() ABSL_LOCKS_EXCLUDED(mutex_);
  // EndAll, and blocks until it is GONE. Not on the step thread.
  void Join() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  ServedModel(std::string name, uint64_t generation, const ServedModelEnv& env);

  // The step thread.
  void Run(ModelLoader loader) ABSL_LOCKS_EXCLUDED(mutex_);
  void Serve(LoadedModel loaded) ABSL_LOCKS_EXCLUDED(mutex_);
  bool BecomeReady() ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells metrics and log; the time is the clock's.
  void Enter(ModelState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BecomeGone(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Release() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string name_;
  const uint64_t generation_;
  const ServedModelEnv env_;

  // Written by the step thread before READY, and after the last lease.
  std::shared_ptr<const Catalog> catalog_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<StepExecutor> executor_;
  std::shared_ptr<const Bundle> bundle_;
  Scheduler* scheduler_ = nullptr;

  mutable Mutex mutex_;
  CondVar changed_;
  GenerationInfo info_ ABSL_GUARDED_BY(mutex_);
  absl::Status load_status_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool steps_ended_ ABSL_GUARDED_BY(mutex_) = false;
  int leases_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_SERVED_MODEL_H_
