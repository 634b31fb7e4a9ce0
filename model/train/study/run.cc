#include "model/train/study/run.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "model/base/directory_lock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/eval/eval.h"
#include "model/train/eval/report.h"
#include "model/train/sae/checkpoint.h"
#include "model/train/study/cell_checkpoint.h"
#include "model/train/study/cells.h"
#include "model/train/study/prompt_figures.h"
#include "model/train/study/robustness.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kWaitForOthers = absl::Seconds(2);

std::string WorkOf(const StudyRun& run, const StudyCell& cell) {
  return absl::StrCat(run.directory, "/work/", cell.id);
}

// What cells share: a language model, its people or prompts, and residuals.
struct CellInputs {
  EvalInputs people;
  EvalSet set;  // people.set, where a cell has fewer concepts.
  SaeInputs residuals;
};

// The relations 0 .. concepts - 1 of `set`.
EvalSet FirstRelations(const EvalSet& set, int concepts) {
  EvalSet first = set;
  first.relations.resize(concepts);
  for (EvalPerson& person : first.people) person.answers.resize(concepts);
  first.wordings.clear();
  for (const EvalWording& wording : set.wordings) {
    if (wording.relation < concepts) first.wordings.push_back(wording);
  }
  return first;
}

// Inputs of all cells, by the epoch that was kept, the concepts, and which
// prompts and tokens train the SAE.
class InputsOfCells {
 public:
  InputsOfCells(const StudyPlan& plan, const StudyRun& run) : run_(run) {
    for (const StudyCell& cell : plan.cells) {
      hooks_[KeyOf(cell)].insert(cell.hook);
    }
  }

  absl::StatusOr<const CellInputs*> Of(const StudyCell& cell) {
    const Key key = KeyOf(cell);
    if (const auto found = inputs_.find(key); found != inputs_.end()) {
      return &found->second;
    }
    if (cell.own.epoch > 0) inputs_.clear();  // One language model at a time.
    CellInputs& inputs = inputs_[key];
    const absl::Status status = Collect(cell, inputs);
    if (status.ok()) return &inputs;
    inputs_.erase(key);
    return status;
  }

 private:
  using Key = std::tuple<int, int, std::string, std::string>;
  static Key KeyOf(const StudyCell& cell) {
    return {cell.own.epoch, cell.own.concepts, cell.sae.people, cell.sae.span};
  }

  absl::Status Collect(const StudyCell& cell, CellInputs& inputs) {
    inputs.people = run_.inputs;
    if (cell.own.epoch > 0) {
      ALIGNSAE_ASSIGN_OR_RETURN(inputs.people.model,
                                run_.kept_model(cell.own.epoch));
    }
    const auto& own = hooks_[KeyOf(cell)];
    const std::vector<HookPoint> hooks(own.begin(), own.end());
    const Transformer& model = *inputs.people.model;
    const Tokenizer& tokenizer = *inputs.people.tokenizer;
    if (run_.prompts != nullptr) {
      if (cell.own.measure != "swaps") {
        return absl::InvalidArgumentError(
            "measure: must be swaps with --prompts, got " + cell.own.measure);
      }
      ALIGNSAE_ASSIGN_OR_RETURN(
          inputs.residuals,
          CollectSaeInputs(model, tokenizer, *run_.prompts, cell.sae, hooks));
      return absl::OkStatus();
    }
    if (cell.own.concepts > 0) {
      inputs.set = FirstRelations(*run_.inputs.set, cell.own.concepts);
      inputs.people.set = &inputs.set;
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        inputs.residuals, CollectSaeInputs(model, tokenizer, *inputs.people.set,
                                           cell.sae, hooks));
    return absl::OkStatus();
  }

  const StudyRun& run_;
  std::map<Key, std::set<HookPoint, PlaceOrder>> hooks_;
  std::map<Key, CellInputs> inputs_;  // Its elements stay where they are.
};

// The last line of the log that MakeSae left; null where there is none.
absl::StatusOr<nlohmann::json> LastEpoch(const std::string& directory) {
  const std::string path = directory + "/log.jsonl";
  if (!FileExists(path)) return nlohmann::json();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const absl::string_view lines = absl::StripSuffix(text, "\n");
  const size_t end = lines.rfind('\n');
  return ParseJson(end == absl::string_view::npos ? lines
                                                  : lines.substr(end + 1));
}

// What the language model answers unsteered: of the epochs that were kept.
absl::StatusOr<nlohmann::json> AnswersOf(EvalSubject& subject,
                                         const EvalOptions& options) {
  nlohmann::json answers;
  for (Split split : {Split::kTest, Split::kUnseen}) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::vector<HalvesCounts> counts,
        MeasureAnswers(ContextOf(subject, options, nullptr, ""),
                       PromptsOf(subject, options.sample, split)));
    answers[std::string(SplitName(split))] =
        AnswersToJson(counts, subject.set().relations);
  }
  return answers;
}

absl::StatusOr<nlohmann::json> PeopleFigures(const StudyCell& cell,
                                             EvalSubject& subject) {
  ALIGNSAE_ASSIGN_OR_RETURN(nlohmann::json figures,
                            EvaluateCheckpoints(subject, cell.eval, nullptr));
  if (cell.own.epoch > 0) {
    ALIGNSAE_ASSIGN_OR_RETURN(figures["answers"],
                              AnswersOf(subject, cell.eval));
  }
  if (cell.own.measure == "robustness") {
    ALIGNSAE_ASSIGN_OR_RETURN(const SteeringChoice choice, ChoiceOf(figures));
    ALIGNSAE_ASSIGN_OR_RETURN(figures["groups"],
                              MeasureRobustness(subject, choice, cell.eval));
  }
  return figures;
}

absl::StatusOr<nlohmann::json> FiguresOf(const StudyCell& cell,
                                         const CellInputs& inputs,
                                         const StudyRun& run) {
  SaePlan plan;
  plan.hook = cell.hook;
  plan.options = cell.sae;
  plan.directory = WorkOf(run, cell);
  plan.title = cell.settings.dump();
  plan.progress = run.progress;
  plan.should_stop = run.should_stop;
  ALIGNSAE_ASSIGN_OR_RETURN(
      Sae sae, MakeCellCheckpoint(cell, inputs.people, inputs.residuals, plan));
  std::vector<Sae> saes;
  saes.push_back(std::move(sae));
  const EvalSet nobody;
  EvalInputs people = inputs.people;
  if (people.set == nullptr) people.set = &nobody;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(people, std::move(saes), cell.eval.rows));
  nlohmann::json figures;
  if (run.prompts != nullptr) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        figures,
        PromptFigures(*subject,
                      WithFewTestGroups(*run.prompts, cell.eval.sample),
                      cell.eval));
  } else {
    ALIGNSAE_ASSIGN_OR_RETURN(figures, PeopleFigures(cell, *subject));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(figures["training"], LastEpoch(plan.directory));
  return figures;
}

absl::Status RunCell(const StudyCell& cell, InputsOfCells& inputs,
                     const StudyRun& run) {
  const absl::Time start = absl::Now();
  nlohmann::ordered_json record = {
      {"settings", cell.settings},      {"hook", cell.hook.ToString()},
      {"sae", FieldsToJson(cell.sae)},  {"eval", FieldsToJson(cell.eval)},
      {"cell", FieldsToJson(cell.own)}, {"subject", run.subject}};
  ALIGNSAE_ASSIGN_OR_RETURN(const CellInputs* own, inputs.Of(cell));
  const absl::StatusOr<nlohmann::json> figures = FiguresOf(cell, *own, run);
  if (figures.ok()) {
    for (const char* key :
         {"test", "unseen", "families", "synonyms", "by_hand", "chosen",
          "selection", "answers", "training", "groups"}) {
      if (figures->contains(key)) record["figures"][key] = (*figures)[key];
    }
  } else if (absl::IsFailedPrecondition(figures.status())) {
    record["refused"] = figures.status().message();
  } else {
    return figures.status();
  }
  record["seconds"] = absl::ToDoubleSeconds(absl::Now() - start);
  ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(CellPath(run.directory, cell.id),
                                               record.dump(1) + "\n"));
  std::error_code error;  // The SAE can be made again from the record.
  fs::remove_all(WorkOf(run, cell), error);
  return absl::OkStatus();
}

// The cell, unless its record is there. ABORTED while another process is at it.
absl::Status RunIfFree(const StudyPlan& plan, size_t index,
                       InputsOfCells& inputs, const StudyRun& run) {
  const StudyCell& cell = plan.cells[index];
  const std::string place = absl::StrCat(run.directory, "/locks/", cell.id);
  const auto known = [&] { return ReadCell(run.directory, cell.id).status(); };
  if (const absl::Status status = known(); !absl::IsNotFound(status)) {
    return status;
  }
  DirectoryLock lock;
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(place));
  ALIGNSAE_RETURN_IF_ERROR(lock.Take(place));
  absl::Status status = known();  // By who had the lock.
  if (absl::IsNotFound(status)) {
    if (run.progress != nullptr) {
      run.progress->Line(
          absl::StrCat(plan.name, " ", index + 1, "/", plan.cells.size(), " ",
                       cell.settings.dump(), " seed ", cell.sae.seed));
    }
    status = RunCell(cell, inputs, run);
    if (!status.ok() && !absl::IsCancelled(status)) {
      status = absl::Status(
          status.code(),
          absl::StrCat(cell.settings.dump(), ": ", status.message()));
    }
  }
  std::error_code error;  // While it is ours.
  fs::remove(place, error);
  return status;
}

absl::Status WaitForOthers(const std::vector<size_t>& cells,
                           const StudyRun& run) {
  if (run.should_stop && run.should_stop()) {
    return absl::CancelledError("stopped");
  }
  if (run.progress != nullptr) {
    run.progress->Line(absl::StrCat("other processes are at ", cells.size(),
                                    cells.size() == 1 ? " cell" : " cells",
                                    "; waiting for them"));
  }
  absl::SleepFor(kWaitForOthers);
  return absl::OkStatus();
}

absl::Status CheckOnly(const StudyPlan& plan, const std::string& only) {
  const bool there =
      only.empty() ||
      std::any_of(plan.cells.begin(), plan.cells.end(),
                  [&](const StudyCell& cell) { return cell.id == only; });
  if (there) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(
      "cell: must be the id of one of the plan's ", plan.cells.size(),
      " cells (on this model, data and version), got ", Quoted(only)));
}

}  // namespace

absl::StatusOr<StudyShard> ParseStudyShard(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  StudyShard shard;
  if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &shard.index) &&
      absl::SimpleAtoi(parts[1], &shard.count) && shard.count >= 1 &&
      shard.index >= 0 && shard.index <= shard.count) {
    if (shard.index == 0) shard.index = shard.count;
    return shard;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("shard: must be i/n with 0 <= i <= n and n >= 1, got ",
                   Quoted(std::string(text))));
}

absl::Status RunStudy(const StudyPlan& plan, const StudyRun& run) {
  ALIGNSAE_RETURN_IF_ERROR(CheckOnly(plan, run.only));
  for (const char* part : {"/cells", "/work", "/locks"}) {
    ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(run.directory + part));
  }
  InputsOfCells inputs(plan, run);
  std::vector<size_t> open;
  for (size_t i = run.shard.index - 1; i < plan.cells.size();
       i += run.shard.count) {
    if (run.only.empty() || plan.cells[i].id == run.only) open.push_back(i);
  }
  // Cells of other processes come last: most are there by then.
  while (!open.empty()) {
    std::vector<size_t> busy;
    for (size_t i : open) {
      const absl::Status status = RunIfFree(plan, i, inputs, run);
      if (absl::IsAborted(status)) {
        busy.push_back(i);
      } else if (!status.ok()) {
        return status;
      }
    }
    open = std::move(busy);
    if (!open.empty()) ALIGNSAE_RETURN_IF_ERROR(WaitForOthers(open, run));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
