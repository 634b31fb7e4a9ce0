#include "model/train/study/cells.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr char kIndexFile[] = "/cells.json";

absl::StatusOr<StudyIndex> ParseStudyIndex(const std::string& text,
                                           const std::string& path) {
  // Checked as any file is, then read again: the order of settings counts.
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  const nlohmann::ordered_json ordered = nlohmann::ordered_json::parse(text);
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root, JsonObject::Of(json, path));
  StudyIndex index;
  ALIGNSAE_ASSIGN_OR_RETURN(index.plan, root.String("plan"));
  ALIGNSAE_ASSIGN_OR_RETURN(index.command, root.String("command"));
  if (root.Has("about")) {
    ALIGNSAE_ASSIGN_OR_RETURN(index.about, root.String("about"));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> cells,
                            root.Objects("cells"));
  for (size_t i = 0; i < cells.size(); ++i) {
    IndexedCell cell;
    ALIGNSAE_ASSIGN_OR_RETURN(cell.id, cells[i].String("id"));
    ALIGNSAE_ASSIGN_OR_RETURN(cell.seed, cells[i].Unsigned("seed"));
    ALIGNSAE_RETURN_IF_ERROR(cells[i].Object("settings").status());
    cell.settings = ordered["cells"][i]["settings"];
    index.cells.push_back(std::move(cell));
  }
  if (!index.cells.empty()) {
    for (const auto& [axis, value] : index.cells.front().settings.items()) {
      index.axes.push_back(axis);
    }
  }
  return index;
}

}  // namespace

StudyIndex IndexOf(const StudyPlan& plan, const std::string& command) {
  StudyIndex index{.plan = plan.name,
                   .about = plan.about,
                   .command = command,
                   .axes = plan.axes,
                   .cells = {}};
  for (const StudyCell& cell : plan.cells) {
    index.cells.push_back({cell.settings, cell.sae.seed, cell.id});
  }
  return index;
}

absl::Status WriteStudyIndex(const std::string& directory,
                             const StudyIndex& index) {
  nlohmann::ordered_json json = {{"plan", index.plan},
                                 {"command", index.command},
                                 {"cells", nlohmann::ordered_json::array()}};
  if (!index.about.empty()) json["about"] = index.about;
  for (const IndexedCell& cell : index.cells) {
    json["cells"].push_back(
        {{"id", cell.id}, {"seed", cell.seed}, {"settings", cell.settings}});
  }
  const std::string folder = absl::StrCat(directory, "/", index.plan);
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(folder));
  return WriteFileAtomically(folder + kIndexFile, json.dump(1) + "\n");
}

absl::StatusOr<std::vector<StudyIndex>> ReadStudyIndexes(
    const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, error)) {
    const std::string path = entry.path().string() + kIndexFile;
    if (FileExists(path)) paths.push_back(path);
  }
  if (paths.empty()) {
    return absl::NotFoundError(
        absl::StrCat(directory,
                     ": must be the --work of a study, which has a folder with "
                     "cells.json for each plan; got none"));
  }
  std::sort(paths.begin(), paths.end());
  std::vector<StudyIndex> indexes;
  for (const std::string& path : paths) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    absl::StatusOr<StudyIndex> index = ParseStudyIndex(text, path);
    if (!index.ok()) {
      return absl::DataLossError(
          absl::StrCat(index.status().message(), " (in ", path, ")"));
    }
    indexes.push_back(*std::move(index));
  }
  return indexes;
}

std::string CellPath(const std::string& directory, const std::string& id) {
  return absl::StrCat(directory, "/cells/", id, ".json");
}

absl::StatusOr<nlohmann::json> ReadCell(const std::string& directory,
                                        const std::string& id) {
  const nlohmann::json::json_pointer kFigures("/figures/test");
  const std::string path = CellPath(directory, id);
  if (!FileExists(path)) {
    return absl::NotFoundError(path + ": has not been measured");
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::StatusOr<nlohmann::json> record = ParseJson(text);
  if (!record.ok() || !record->is_object() ||
      (!record->contains(kFigures) && !record->contains("refused"))) {
    return absl::DataLossError(
        path + ": must hold the figures of a cell; remove it to measure again");
  }
  return record;
}

}  // namespace alignsae
