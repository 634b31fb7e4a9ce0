// ModelOperator: what operators do to the models: loads another version of one,
// puts checkpoints beside or in the place of others, takes them away.
//
// Each makes a new generation of the model (model_registry.h), so that what
// runs ends on what it began with. A change of checkpoints shares the weights
// with the generation before; what is new is its KV cache. Decision: not a
// list of checkpoints that is exchanged between two steps of one scheduler. A
// generation is whole and never changes, which is what answers, receipts and
// metrics stand on, and costs a second KV cache until the old one is gone.
//
// One change at a time, of all models. A change that fails, or that there is
// not the memory for, leaves what serves as it is.
//
// A reload takes the model and its checkpoints from the bundle, and keeps
// beside them what LoadCheckpoint put there under names that the bundle does
// not have. What UnloadCheckpoint took away, and the bundle has, comes back.
//
// Sentences name bundles by their names: no path leaves the process but in the
// log.
//
// Threads: any but the step threads; the changes block for as long as a load
// takes, so gRPC's threads do not call them.
// Thread-safety: thread-safe.
// Errors: what the loader says; NOT_FOUND, INVALID_ARGUMENT and
// FAILED_PRECONDITION name the field of the request; RESOURCE_EXHAUSTED (with a
// time to try again while another change runs); UNAVAILABLE when the server
// shuts down.

#ifndef ALIGNSAE_SERVER_REGISTRY_MODEL_OPERATOR_H_
#define ALIGNSAE_SERVER_REGISTRY_MODEL_OPERATOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/mutex.h"
#include "model/engine/engine.h"
#include "server/metrics/generation_metrics.h"
#include "server/registry/bundle_shelf.h"
#include "server/registry/model_registry.h"

namespace alignsae {

// How things are loaded; tests put their own.
struct LoadingEnv {
  // `beside_others`: another generation serves, and is not to be held up.
  std::function<ModelLoader(const EngineSetup&, bool beside_others)> loader;
  std::function<absl::StatusOr<MemoryNeed>(const EngineSetup&)> memory_to_load;
  std::function<int64_t()> free_memory;  // Bytes.
  // What it will be served as.
  std::function<absl::StatusOr<std::string>(const CheckpointSource&)>
      name_to_serve;
};

class ModelOperator {
 public:
  struct Options {
    EngineSetup setup;  // Of kDefaultModel; of others, all but directories.
    std::string bundles_directory;  // Empty: operators can name no bundle.
  };
  // `registry` and `metrics` must outlive it.
  ModelOperator(Options options, ModelRegistry* registry,
                GenerationMetrics* metrics, LoadingEnv env);

  // The first generation of kDefaultModel. Refused for want of memory as the
  // others are; what else is wrong the loader says, with paths.
  absl::Status LoadFirst();

  // The first generation of another model, of the bundle of that name.
  absl::Status LoadAnother(const std::string& model);

  // `model`: empty for the default one; one that is not served yet is added,
  // where a bundle is named. `bundle`: on the shelf; empty: the one that it was
  // loaded from, as it is now.
  absl::StatusOr<GenerationInfo> ReloadModel(const std::string& model,
                                             const std::string& bundle)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // A checkpoint that lies alone on the shelf as `bundle`, or `sae` of that
  // bundle, to be served as `name` (empty: as it is called there).
  struct Wanted {
    std::string model, bundle, sae, name;
  };
  absl::StatusOr<GenerationInfo> LoadCheckpoint(const Wanted& wanted)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Not the default checkpoint.
  absl::StatusOr<GenerationInfo> UnloadCheckpoint(const std::string& model,
                                                  const std::string& name)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Not the default model. The generation that goes, as it is then.
  absl::StatusOr<GenerationInfo> UnloadModel(const std::string& model)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What serves then, which it changes nothing of.
  absl::StatusOr<GenerationInfo> SetRollout(const std::string& model,
                                            const Rollout& rollout)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Reloads every model whose bundle has another version on disk than the one
  // that was loaded or refused last.
  void ReloadChanged() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // What a model was made of.
  struct Source {
    EngineSetup setup;   // Without base.
    std::string bundle;  // Its name on the shelf; empty: as configured.
    std::string stamp;   // Of the version that was tried last.
    std::map<std::string, std::string> names;  // Of the paths that it has had.
  };
  // The right to change things, until it goes.
  class Turn {
   public:
    static absl::StatusOr<Turn> Take(ModelOperator* of);
    Turn(Turn&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    explicit Turn(ModelOperator* of) : of_(of) {}
    ModelOperator* of_;
  };

  absl::StatusOr<GenerationInfo> Reload(const std::string& model,
                                        Source source);
  // Where the checkpoints lie now that are put beside: links may have changed.
  absl::Status FindBeside(Source& source) const;
  // Loads a generation of `setup`, in which `names` are for its paths.
  absl::Status Load(const std::string& model, const EngineSetup& setup,
                    const Source& source);
  absl::Status CheckMemory(const std::string& model, const EngineSetup& setup,
                           const Source& source);
  absl::StatusOr<Source> SourceOf(const std::string& model)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Of a model that is not the default one.
  Source NewSource() const;
  // What the registry calls it.
  std::string KeyOf(const std::string& model) const;
  void Keep(const std::string& model, Source source)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The setup of a generation that stands on the one that serves.
  absl::StatusOr<EngineSetup> OnWhatServes(const std::string& model,
                                           const Source& source) const;

  const Options options_;
  const BundleShelf shelf_;
  ModelRegistry* const registry_;
  GenerationMetrics* const metrics_;
  const LoadingEnv env_;

  Mutex mutex_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Source> sources_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_MODEL_OPERATOR_H_
