#include "model/train/study/run.h"

#include <filesystem>
#include <map>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/eval/eval.h"
#include "model/train/sae/checkpoint.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

// Residuals of all cells: by whose questions train the SAE.
class InputsOfCells {
 public:
  InputsOfCells(const StudyPlan& plan, const EvalInputs& inputs)
      : inputs_(inputs) {
    for (const StudyCell& cell : plan.cells) {
      hooks_[cell.sae.people].push_back(cell.hook);
    }
  }

  absl::StatusOr<const SaeInputs*> Of(const StudyCell& cell) {
    const std::string& people = cell.sae.people;
    if (const auto found = collected_.find(people); found != collected_.end()) {
      return &found->second;
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        SaeInputs collected,
        CollectSaeInputs(*inputs_.model, *inputs_.tokenizer, *inputs_.set,
                         cell.sae, hooks_[people]));
    return &collected_.emplace(people, std::move(collected)).first->second;
  }

 private:
  const EvalInputs& inputs_;
  std::map<std::string, std::vector<HookPoint>> hooks_;
  std::map<std::string, SaeInputs> collected_;
};

absl::StatusOr<nlohmann::json> FiguresOf(const StudyCell& cell,
                                         const SaeInputs& inputs,
                                         const StudyRun& run) {
  SaePlan plan;
  plan.hook = cell.hook;
  plan.options = cell.sae;
  plan.directory = absl::StrCat(run.directory, "/work/", cell.id);
  plan.title = cell.settings.dump();
  plan.progress = run.progress;
  plan.should_stop = run.should_stop;
  ALIGNSAE_ASSIGN_OR_RETURN(Sae sae, MakeSae(inputs, plan));
  std::vector<Sae> saes;
  saes.push_back(std::move(sae));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create(run.inputs, std::move(saes), cell.eval.rows));
  return EvaluateCheckpoints(*subject, cell.eval, nullptr);
}

absl::Status RunCell(const StudyCell& cell, InputsOfCells& inputs,
                     const StudyRun& run) {
  const absl::Time start = absl::Now();
  nlohmann::ordered_json record = {{"settings", cell.settings},
                                   {"hook", cell.hook.ToString()},
                                   {"sae", FieldsToJson(cell.sae)},
                                   {"eval", FieldsToJson(cell.eval)},
                                   {"subject", run.subject}};
  ALIGNSAE_ASSIGN_OR_RETURN(const SaeInputs* collected, inputs.Of(cell));
  const absl::StatusOr<nlohmann::json> figures =
      FiguresOf(cell, *collected, run);
  if (figures.ok()) {
    for (const char* key : {"test", "unseen", "chosen", "selection"}) {
      record["figures"][key] = (*figures)[key];
    }
  } else if (absl::IsFailedPrecondition(figures.status())) {
    record["refused"] = figures.status().message();
  } else {
    return figures.status();
  }
  record["seconds"] = absl::ToDoubleSeconds(absl::Now() - start);
  ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(CellPath(run.directory, cell),
                                               record.dump(1) + "\n"));
  std::error_code error;  // The SAE can be made again from the record.
  fs::remove_all(absl::StrCat(run.directory, "/work/", cell.id), error);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StudyShard> ParseStudyShard(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  StudyShard shard;
  if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &shard.index) &&
      absl::SimpleAtoi(parts[1], &shard.count) && shard.index >= 1 &&
      shard.index <= shard.count) {
    return shard;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "shard: must be i/n with 1 <= i <= n, got ", Quoted(std::string(text))));
}

std::string CellPath(const std::string& directory, const StudyCell& cell) {
  return absl::StrCat(directory, "/cells/", cell.id, ".json");
}

absl::StatusOr<nlohmann::json> ReadCell(const std::string& directory,
                                        const StudyCell& cell) {
  // The newest of a cell's figures: older versions did not measure it.
  const nlohmann::json::json_pointer kWritten("/figures/test/written");
  const std::string path = CellPath(directory, cell);
  if (!FileExists(path)) {
    return absl::NotFoundError(path + ": has not been measured");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<nlohmann::json> record = ParseJson(text);
  if (!record.ok() || !record->is_object() ||
      (!record->contains(kWritten) && !record->contains("refused"))) {
    return absl::DataLossError(
        path + ": must hold the figures of a cell; remove it to measure again");
  }
  return record;
}

absl::Status RunStudy(const StudyPlan& plan, const StudyRun& run) {
  for (const char* part : {"/cells", "/work"}) {
    ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(run.directory + part));
  }
  InputsOfCells inputs(plan, run.inputs);
  for (size_t i = run.shard.index - 1; i < plan.cells.size();
       i += run.shard.count) {
    const StudyCell& cell = plan.cells[i];
    const absl::Status known = ReadCell(run.directory, cell).status();
    if (known.ok()) continue;
    if (!absl::IsNotFound(known)) return known;
    if (run.progress != nullptr) {
      run.progress->Line(
          absl::StrCat(plan.name, " ", i + 1, "/", plan.cells.size(), " ",
                       cell.settings.dump(), " seed ", cell.sae.seed));
    }
    const absl::Status status = RunCell(cell, inputs, run);
    if (absl::IsCancelled(status)) return status;
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(cell.settings.dump(),
                                                      ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace alignsae
