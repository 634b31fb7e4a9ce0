// ModelRegistry: which models are served, by name.
//
// Load puts a new generation of a name in the place of the one that is there:
// calls that began with the old one end with it, new calls get the new one, and
// the old one goes with its last call. Both are in memory until then. A load
// that fails changes nothing. The first generation of a name is 1; each Load
// that succeeds raises it by one.
//
// A caller holds a ModelLease for as long as it works with a model, and asks
// for it once: everything of one call is of one generation.
//
// Threads: all from any thread. Acquire, RefuseNew and List take a lock for a
// moment; Load, Unload, EndAll and Stop block (see each), so no gRPC thread or
// lane task calls those, but for the background lane.
// Not for: choosing among checkpoints of one model, which is the catalog's, or
// for deciding who may use a model.
//
// Example:
//   ALIGNSAE_RETURN_IF_ERROR(registry.Load(kDefaultModel, loader));
//   ...
//   ALIGNSAE_ASSIGN_OR_RETURN(ModelLease model,
//                             registry.Acquire(kDefaultModel));
//   model->scheduler().Submit(...);

#ifndef ALIGNSAE_SERVER_REGISTRY_MODEL_REGISTRY_H_
#define ALIGNSAE_SERVER_REGISTRY_MODEL_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/base/mutex.h"
#include "server/registry/served_model.h"

namespace alignsae {

// Generations that are remembered after they have gone.
inline constexpr size_t kMaxGone = 32;

class ModelRegistry {
 public:
  // What `env` points to must outlive the registry.
  explicit ModelRegistry(const ServedModelEnv& env) : env_(env) {
    env_.rollouts = &rollouts_;
  }
  // Stop().
  ~ModelRegistry();
  ModelRegistry(const ModelRegistry&) = delete;
  ModelRegistry& operator=(const ModelRegistry&) = delete;

  // What operators have asked of the models' checkpoints, by the registry's
  // names.
  Rollouts& rollouts() { return rollouts_; }
  const Rollouts& rollouts() const { return rollouts_; }

  // Blocks while `loader` runs. Errors: what the loader says;
  // FAILED_PRECONDITION while the same name is being loaded; UNAVAILABLE when
  // the server shuts down.
  absl::Status Load(const std::string& name, ModelLoader loader)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // No new leases; it goes with its last call. Does not wait for that.
  // Errors: NOT_FOUND.
  absl::Status Unload(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

  // `name`: empty for kDefaultModel, which also goes by its own name.
  // Errors: UNAVAILABLE, reason STARTING with a time to try again, while the
  // first generation is being loaded and before anything was; UNAVAILABLE,
  // reason DRAINING, after RefuseNew; NOT_FOUND.
  absl::StatusOr<ModelLease> Acquire(absl::string_view name) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The server shuts down: no new leases, no loads. Every model is DRAINING:
  // leases that are out work on.
  void RefuseNew() ABSL_LOCKS_EXCLUDED(mutex_);
  bool refuses_new() const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return refuse_new_;
  }
  // RefuseNew, ends every request with UNAVAILABLE, and blocks until no step
  // runs and every sink has got its RequestDone; leases may still be out.
  void EndAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // EndAll, and blocks until all leases are back and every model is GONE.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // By name and generation; those that are GONE are left out.
  std::vector<GenerationInfo> List() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same and before them those that have gone lately, kMaxGone at most,
  // what could not be loaded included; oldest first. Blocks for a moment where
  // a thread has just ended.
  std::vector<GenerationInfo> History() ABSL_LOCKS_EXCLUDED(mutex_);
  // Those that new calls may ask for: the default one by its own name, first.
  std::vector<std::string> Names() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The generation that new calls get. Errors: NOT_FOUND.
  absl::StatusOr<GenerationInfo> Info(const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Models = std::vector<std::shared_ptr<ServedModel>>;

  // Forgets retired models that are GONE.
  void Reap() ABSL_LOCKS_EXCLUDED(mutex_);
  // What serves under `name`; null: nothing.
  std::shared_ptr<ServedModel> Serving(const std::string& name) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Models All() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes the loaded model into service, or retires it.
  absl::Status Install(const std::shared_ptr<ServedModel>& model,
                       const absl::Status& loaded) ABSL_LOCKS_EXCLUDED(mutex_);

  Rollouts rollouts_;
  ServedModelEnv env_;  // Never changes once it is made.
  mutable Mutex mutex_;
  bool refuse_new_ ABSL_GUARDED_BY(mutex_) = false;
  bool loaded_once_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, uint64_t> generations_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<ServedModel>> loading_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<ServedModel>> serving_
      ABSL_GUARDED_BY(mutex_);
  Models retired_ ABSL_GUARDED_BY(mutex_);
  std::deque<GenerationInfo> gone_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_MODEL_REGISTRY_H_
