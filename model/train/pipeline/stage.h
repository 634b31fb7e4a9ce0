// Stages of a long run that are done once: a stage whose inputs and outputs are
// what they were is skipped, so that a stopped run goes on where it was and a
// changed option redoes what depends on it, and nothing else.
//
// <work>/stages/<name>.begun holds the hash of the inputs that a stage was last
// begun with, and the commits of the sources that had a part in it: one for a
// stage that ran in one go, more where another build went on from its state. A
// stage's marker, <work>/stages/<name>.json, is written atomically after its
// outputs and holds the hash of its inputs and of each output file, and those
// commits. It counts while `.begun` names the same inputs. Stages chain by
// digest, which does not depend on commits: what a stage returns goes into the
// inputs of those that build on it.
//
// A stage that fails before it touched its files leaves everything as it was.
//
// Thread-safety: not thread-safe.
// Errors: those of the stage; NOT_FOUND for an output that the stage promised
// and did not write; ABORTED while another run has the work directory.
//
// Example:
//   StageBook book("work", commit, &progress);
//   ALIGNSAE_ASSIGN_OR_RETURN(
//       const std::string digest,
//       book.Run({.name = "data", .inputs = options.dump(),
//                 .outputs = {"data/data.json"}, .run = [&] { ... }}));

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/directory_lock.h"
#include "model/train/common/progress.h"

namespace alignsae {

struct Stage {
  std::string name;    // A file name.
  std::string inputs;  // Everything that decides the outputs, as text.
  std::vector<std::string> outputs;  // Files, relative to the work directory.
  // Files from which a stopped run goes on. Out of the way before the stage
  // runs with other inputs than those that they were made from.
  std::vector<std::string> state = {};
  std::function<absl::Status()> run;
};

// What a stage starts from, by content: a directory may change behind its name.
// " <file> <SHA-256>" of each file; "" for the directory "".
absl::StatusOr<std::string> HashesOf(const std::string& directory,
                                     const std::vector<std::string>& files);

class StageBook {
 public:
  // `commit` is that of these sources; it may be empty. `progress` may be null;
  // it is told which stages run and which are skipped.
  StageBook(std::string work_directory, std::string commit, Progress* progress)
      : work_(std::move(work_directory)),
        commit_(std::move(commit)),
        progress_(progress) {}

  // Runs the stage unless it is done. Returns the digest of its inputs and
  // outputs.
  absl::StatusOr<std::string> Run(const Stage& stage);

  std::string Path(const std::string& relative) const {
    return work_ + "/" + relative;
  }

  // Of each stage that this book ran or skipped: the commits that made it,
  // separated by commas.
  const std::map<std::string, std::string>& commits() const { return commits_; }

 private:
  // Inputs and commits of a `.begun` file or of the marker.
  struct Begun {
    std::string inputs;
    std::string commits;
  };
  absl::StatusOr<std::string> DigestOf(const Stage& stage) const;
  // Whether the marker is that of these inputs and outputs.
  bool IsDone(const Stage& stage, const std::string& digest);
  Begun ReadBegun(const Stage& stage) const;
  absl::Status RunAnew(const Stage& stage);
  std::string MarkerPath(const Stage& stage) const {
    return Path("stages/" + stage.name + ".json");
  }
  std::string BegunPath(const Stage& stage) const {
    return Path("stages/" + stage.name + ".begun");
  }

  std::string work_;
  std::string commit_;
  Progress* progress_;
  std::map<std::string, std::string> commits_;
  DirectoryLock lock_;  // Of stages/.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_
