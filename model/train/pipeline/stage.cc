#include "model/train/pipeline/stage.h"

#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

constexpr char kAsideSuffix[] = ".of-other-inputs";

// "a,b" and "b" -> "a,b".
std::string WithCommit(const std::string& commits, const std::string& commit) {
  if (commits.empty()) return commit;
  for (absl::string_view known : absl::StrSplit(commits, ',')) {
    if (known == commit) return commits;
  }
  return absl::StrCat(commits, ",", commit);
}

// The text under `key` of a JSON object; "" for everything else.
std::string TextOf(const absl::StatusOr<std::string>& json, const char* key) {
  if (!json.ok()) return "";
  const absl::StatusOr<nlohmann::json> parsed = ParseJson(*json);
  if (!parsed.ok() || !parsed->is_object()) return "";
  const auto it = parsed->find(key);
  if (it == parsed->end() || !it->is_string()) return "";
  return it->get<std::string>();
}

absl::Status Move(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  return error ? PosixError(from, "rename", error.value()) : absl::OkStatus();
}

// The files that a stage writes, as they are on disk: which, and whether
// anybody wrote to them in between.
class FileStamps {
 public:
  explicit FileStamps(std::vector<std::string> paths)
      : paths_(std::move(paths)), stamps_(Read()) {}

  bool Unchanged() const { return Read() == stamps_; }

 private:
  using Stamp = std::array<int64_t, 4>;

  std::vector<Stamp> Read() const {
    std::vector<Stamp> stamps;
    for (const std::string& path : paths_) {
      struct stat info = {};
      if (stat(path.c_str(), &info) != 0) info = {};
      stamps.push_back({static_cast<int64_t>(info.st_ino), info.st_size,
                        info.st_mtim.tv_sec, info.st_mtim.tv_nsec});
    }
    return stamps;
  }

  std::vector<std::string> paths_;
  std::vector<Stamp> stamps_;
};

}  // namespace

absl::StatusOr<std::string> HashesOf(const std::string& directory,
                                     const std::vector<std::string>& files) {
  std::string hashes;
  if (directory.empty()) return hashes;
  for (const std::string& file : files) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash,
                              Sha256OfFile(absl::StrCat(directory, "/", file)));
    absl::StrAppend(&hashes, " ", file, " ", hash);
  }
  return hashes;
}

// Hash of the stage's name, inputs and outputs as they are.
absl::StatusOr<std::string> StageBook::DigestOf(const Stage& stage) const {
  nlohmann::ordered_json outputs = nlohmann::ordered_json::object();
  for (const std::string& output : stage.outputs) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash,
                              Sha256OfFile(Path(output)));
    outputs[output] = hash;
  }
  const nlohmann::ordered_json content = {{"stage", stage.name},
                                          {"inputs", Sha256Hex(stage.inputs)},
                                          {"outputs", outputs}};
  return Sha256Hex(content.dump());
}

StageBook::Begun StageBook::ReadBegun(const Stage& stage) const {
  const absl::StatusOr<std::string> text = ReadFile(BegunPath(stage));
  return {.inputs = TextOf(text, "inputs"), .commits = TextOf(text, "commits")};
}

bool StageBook::IsDone(const Stage& stage, const std::string& digest) {
  const absl::StatusOr<std::string> marker = ReadFile(MarkerPath(stage));
  // Begun with other inputs since: who knows what that left behind.
  if (TextOf(marker, "digest") != digest ||
      ReadBegun(stage).inputs != Sha256Hex(stage.inputs)) {
    return false;
  }
  commits_[stage.name] = TextOf(marker, "commits");
  return true;
}

// Notes the inputs, runs the stage with the state that belongs to them, and
// takes all that back when the stage fails without a trace.
absl::Status StageBook::RunAnew(const Stage& stage) {
  const absl::StatusOr<std::string> old_begun = ReadFile(BegunPath(stage));
  Begun begun = ReadBegun(stage);
  const bool same_inputs = begun.inputs == Sha256Hex(stage.inputs);
  std::vector<std::string> state, files;
  for (const std::string& file : stage.state) {
    files.push_back(Path(file));
    if (FileExists(Path(file))) state.push_back(Path(file));
  }
  for (const std::string& file : stage.outputs) files.push_back(Path(file));
  if (!same_inputs) {
    for (const std::string& file : state) {
      ALIGNSAE_RETURN_IF_ERROR(Move(file, file + kAsideSuffix));
    }
  }
  const bool goes_on = same_inputs && !state.empty();
  begun.commits = goes_on ? WithCommit(begun.commits, commit_) : commit_;
  const nlohmann::ordered_json note = {{"inputs", Sha256Hex(stage.inputs)},
                                       {"commits", begun.commits}};
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(BegunPath(stage), note.dump() + "\n"));
  commits_[stage.name] = begun.commits;

  const FileStamps stamps(files);
  const absl::Status status = stage.run();
  std::error_code error;
  if (!status.ok() && stamps.Unchanged()) {
    if (old_begun.ok()) {
      WriteFileAtomically(BegunPath(stage), *old_begun).IgnoreError();
    } else {
      std::filesystem::remove(BegunPath(stage), error);
    }
    for (const std::string& file : state) {
      if (!same_inputs) Move(file + kAsideSuffix, file).IgnoreError();
    }
    return status;
  }
  for (const std::string& file : stage.state) {
    std::filesystem::remove(Path(file) + kAsideSuffix, error);
  }
  return status;
}

absl::StatusOr<std::string> StageBook::Run(const Stage& stage) {
  ALIGNSAE_RETURN_IF_ERROR(lock_.TakeIfThere(Path("stages")));
  // An output that is missing or cannot be read is redone like any other
  // difference.
  const absl::StatusOr<std::string> before = DigestOf(stage);
  if (before.ok() && IsDone(stage, *before)) {
    if (progress_ != nullptr) {
      progress_->Line(absl::StrCat(stage.name, ": done before, unchanged"));
      progress_->EndPart(stage.name, /*skipped=*/true);
    }
    return *before;
  }
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(Path("stages")));
  ALIGNSAE_RETURN_IF_ERROR(lock_.Take(Path("stages")));
  if (progress_ != nullptr) {
    const std::string which = progress_->BeginPart(stage.name);
    progress_->Line(
        absl::StrCat(stage.name, ": runs", which.empty() ? "" : ", ", which));
  }
  const absl::Time start = absl::Now();
  ALIGNSAE_RETURN_IF_ERROR(RunAnew(stage));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string digest, DigestOf(stage));
  const nlohmann::ordered_json marker = {{"stage", stage.name},
                                         {"digest", digest},
                                         {"commits", commits_[stage.name]}};
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(MarkerPath(stage), marker.dump(2) + "\n"));
  if (progress_ != nullptr) {
    progress_->Line(absl::StrCat(stage.name, ": done in ",
                                 ShortDuration(absl::Now() - start)));
    progress_->EndPart(stage.name, /*skipped=*/false);
  }
  return digest;
}

}  // namespace alignsae
