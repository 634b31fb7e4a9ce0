#include "model/train/eval/subject.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

CheckpointInfo InfoOf(const Sae& sae, size_t index) {
  CheckpointInfo info;
  info.name = absl::StrCat("candidate_", index);
  info.hook = sae.config().hook;
  info.activation = std::string(SaeActivationName(sae.config().activation));
  info.scale = sae.config().scale;
  info.n_features = sae.config().n_features;
  info.whole_sae_loaded = sae.whole();
  info.concepts = sae.config().concepts;
  return info;
}

// SAEs are trained and calibrated on the CPU; the engine runs where the model
// is.
absl::StatusOr<Sae> OnDevice(const Sae& sae, at::Device device) {
  const SaeWeights& weights = sae.weights();
  if (!sae.whole() || weights.w_enc.device() == device) return sae;
  SaeWeights moved;
  const absl::Status status = WithTorchFence([&] {
    moved.w_enc = weights.w_enc.to(device);
    moved.b_enc = weights.b_enc.to(device);
    moved.w_dec = weights.w_dec.to(device);
    moved.b_dec = weights.b_dec.to(device);
    if (weights.threshold.defined()) {
      moved.threshold = weights.threshold.to(device);
    }
  });
  ALIGNSAE_RETURN_IF_ERROR(status);
  return Sae::FromWeights(sae.config(), moved);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EvalSubject>> EvalSubject::Create(
    const EvalInputs& inputs, std::vector<Sae> saes, int rows) {
  auto bundle = std::make_shared<Bundle>();
  auto catalog = std::make_shared<Catalog>();
  for (size_t i = 0; i < saes.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(saes[i],
                              OnDevice(saes[i], inputs.model->device()));
    catalog->checkpoints.push_back(InfoOf(saes[i], i));
  }
  bundle->catalog = std::move(catalog);
  bundle->tokenizer = inputs.tokenizer;
  bundle->model = inputs.model;
  bundle->saes = std::move(saes);
  ALIGNSAE_ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                            Engine::Create(bundle, {.kv_slots = rows}));
  return std::unique_ptr<EvalSubject>(
      new EvalSubject(std::move(bundle), std::move(engine), *inputs.set));
}

EvalContext ContextOf(EvalSubject& subject, const EvalOptions& options,
                      const EvalReporter& report, const std::string& what) {
  EvalContext context{.executor = subject.engine(),
                      .tokenizer = subject.tokenizer(),
                      .set = subject.set(),
                      .context_length = subject.model().facts().context_length,
                      .max_tokens = options.max_tokens,
                      .on_progress = nullptr};
  if (report) {
    context.on_progress = [&report, what](int64_t done, int64_t total) {
      return report(what, done, total);
    };
  }
  return context;
}

std::vector<EvalPrompt> PromptsOf(const EvalSubject& subject, int per_half,
                                  Split split) {
  return MakePrompts(subject.set(), subject.tokenizer(),
                     SamplePeople(subject.set(), per_half), split);
}

absl::Status CheckConcepts(const Sae& sae, const EvalSet& set) {
  std::vector<std::string> names;
  for (const Concept& entry : sae.config().concepts) {
    names.push_back(entry.name);
  }
  if (names == set.relations) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("concepts: must be the evaluation's relations (",
                   absl::StrJoin(set.relations, ", "), "), got ",
                   absl::StrJoin(names, ", ")));
}

Steering SteeringOf(const EvalSubject& subject, int checkpoint,
                    InterventionMode mode) {
  std::vector<int> slots;
  for (const Concept& entry : subject.saes()[checkpoint].config().concepts) {
    slots.push_back(entry.slot);
  }
  return SlotSteering(checkpoint, mode, slots);
}

}  // namespace alignsae
