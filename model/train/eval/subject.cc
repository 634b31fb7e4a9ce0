#include "model/train/eval/subject.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/train/common/memory_bundle.h"

namespace alignsae {
namespace {

std::vector<std::string> NamesOf(const Sae& sae) {
  std::vector<std::string> names;
  for (const Concept& entry : sae.config().concepts) {
    names.push_back(entry.name);
  }
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EvalSubject>> EvalSubject::Create(
    const EvalInputs& inputs, std::vector<Sae> saes, int rows) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      std::shared_ptr<const Bundle> bundle,
      MemoryBundle(inputs.model, inputs.tokenizer,
                   inputs.tokenizer->eos_token_id(), std::move(saes)));
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
                      .catalog = subject.catalog(),
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
  const std::vector<std::string> names = NamesOf(sae);
  if (names == set.relations) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("concepts: must be the evaluation's relations (",
                   absl::StrJoin(set.relations, ", "), "), got ",
                   absl::StrJoin(names, ", ")));
}

absl::Status CheckConcepts(const Sae& sae, const PromptSet& set) {
  const std::vector<std::string> names = NamesOf(sae);
  if (names == set.concepts) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(set.file, ": concept: must be the checkpoint's (",
                   absl::StrJoin(names, ", "), ") in their order, got ",
                   absl::StrJoin(set.concepts, ", ")));
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
