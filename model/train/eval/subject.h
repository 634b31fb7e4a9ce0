// What is evaluated: a language model, the people to ask it about, and an
// engine over the checkpoints.
//
// Thread-safety: one thread per EvalSubject.
// Errors: those of Engine::Create; FAILED_PRECONDITION when a checkpoint's
// concepts are not the set's relations.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_SUBJECT_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_SUBJECT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "model/train/data/eval_set.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/options.h"
#include "model/train/eval/swap.h"

namespace alignsae {

// A language model and the people to ask it about. `set` is not owned and must
// outlive what is made of it.
struct EvalInputs {
  std::shared_ptr<const Transformer> model;
  std::shared_ptr<const Tokenizer> tokenizer;
  const EvalSet* set = nullptr;
};

// An engine over the checkpoints under evaluation, which are whole.
class EvalSubject {
 public:
  // The weights are shared with inputs.model, not copied.
  static absl::StatusOr<std::unique_ptr<EvalSubject>> Create(
      const EvalInputs& inputs, std::vector<Sae> saes, int rows);

  const Transformer& model() const { return *bundle_->model; }
  const Tokenizer& tokenizer() const { return *bundle_->tokenizer; }
  const std::shared_ptr<const Catalog>& catalog() const {
    return bundle_->catalog;
  }
  const std::vector<Sae>& saes() const { return bundle_->saes; }
  const EvalSet& set() const { return set_; }
  Engine& engine() { return *engine_; }

 private:
  EvalSubject(std::shared_ptr<const Bundle> bundle,
              std::unique_ptr<Engine> engine, const EvalSet& set)
      : bundle_(std::move(bundle)), engine_(std::move(engine)), set_(set) {}

  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<Engine> engine_;
  const EvalSet& set_;
};

// Says what is measured and how far it is; an error stops the evaluation. May
// be empty.
using EvalReporter = std::function<absl::Status(const std::string& what,
                                                int64_t done, int64_t total)>;

// A measurement's view of `subject`, with its progress told to `report` (which
// must outlive it) as `what`.
EvalContext ContextOf(EvalSubject& subject, const EvalOptions& options,
                      const EvalReporter& report, const std::string& what);

// The questions of `split` about SamplePeople(set, per_half).
std::vector<EvalPrompt> PromptsOf(const EvalSubject& subject, int per_half,
                                  Split split);

// Whether concept r of `sae` is relation r of `set`, for all r.
absl::Status CheckConcepts(const Sae& sae, const EvalSet& set);

// Whether the concepts of `sae` are those of `set`, in their order.
absl::Status CheckConcepts(const Sae& sae, const PromptSet& set);

// Relation r is steered to by concept r's slot.
Steering SteeringOf(const EvalSubject& subject, int checkpoint,
                    InterventionMode mode);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_SUBJECT_H_
