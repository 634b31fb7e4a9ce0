#include "model/train/pipeline/stage.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// The marker that a done stage has: compared as text, so that whatever differs
// (an input, an output, a damaged marker) runs the stage again.
absl::StatusOr<std::string> StageBook::MakeMarker(const Stage& stage) const {
  nlohmann::ordered_json outputs = nlohmann::ordered_json::object();
  for (const std::string& output : stage.outputs) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash,
                              Sha256OfFile(Path(output)));
    outputs[output] = hash;
  }
  const nlohmann::ordered_json marker = {{"stage", stage.name},
                                         {"inputs", Sha256Hex(stage.inputs)},
                                         {"outputs", outputs}};
  return marker.dump(2) + "\n";
}

absl::Status StageBook::TakeState(const Stage& stage) const {
  const std::string path = Path(absl::StrCat("stages/", stage.name, ".begun"));
  const std::string inputs = Sha256Hex(stage.inputs);
  const absl::StatusOr<std::string> begun = ReadFile(path);
  if (begun.ok() && *begun == inputs) return absl::OkStatus();
  for (const std::string& file : stage.state) {
    std::error_code error;
    std::filesystem::remove(Path(file), error);
    if (error) return PosixError(Path(file), "remove", error.value());
  }
  return WriteFileAtomically(path, inputs);
}

absl::StatusOr<std::string> StageBook::Run(const Stage& stage) {
  const std::string path = Path(absl::StrCat("stages/", stage.name, ".json"));
  const absl::StatusOr<std::string> old_marker = ReadFile(path);
  if (old_marker.ok()) {
    // An output that is missing or cannot be read is redone like any other
    // difference.
    const absl::StatusOr<std::string> expected = MakeMarker(stage);
    if (expected.ok() && *expected == *old_marker) {
      if (progress_ != nullptr) {
        progress_->Line(absl::StrCat(stage.name, ": done before, unchanged"));
      }
      return Sha256Hex(*old_marker);
    }
  }
  std::error_code error;
  std::filesystem::create_directories(Path("stages"), error);
  if (error) return PosixError(Path("stages"), "create", error.value());
  // A stage that is stopped half-way must not look done.
  std::filesystem::remove(path, error);
  if (progress_ != nullptr) progress_->Line(absl::StrCat(stage.name, ": runs"));
  ALIGNSAE_RETURN_IF_ERROR(TakeState(stage));
  const absl::Time start = absl::Now();
  ALIGNSAE_RETURN_IF_ERROR(stage.run());
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string marker, MakeMarker(stage));
  ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(path, marker));
  if (progress_ != nullptr) {
    progress_->Line(absl::StrCat(stage.name, ": done in ",
                                 ShortDuration(absl::Now() - start)));
  }
  return Sha256Hex(marker);
}

}  // namespace alignsae
