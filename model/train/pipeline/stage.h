// Stages of a long run that are done once: a stage whose inputs and outputs are
// what they were is skipped, so that a stopped run goes on where it was and a
// changed option redoes what depends on it, and nothing else.
//
// <work>/stages/<name>.begun holds the hash of the inputs that a stage was last
// begun with. A stage's marker, <work>/stages/<name>.json, is written
// atomically after its outputs and holds the hash of its inputs and of each
// output file. Stages chain by digest: what a stage returns goes into the
// inputs of those that build on it.
//
// Thread-safety: not thread-safe; one run per work directory at a time.
// Errors: those of the stage; NOT_FOUND for an output that the stage promised
// and did not write.
//
// Example:
//   StageBook book("work", &progress);
//   ALIGNSAE_ASSIGN_OR_RETURN(
//       const std::string digest,
//       book.Run({.name = "data", .inputs = options.dump(),
//                 .outputs = {"data/data.json"}, .run = [&] { ... }}));

#ifndef ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_
#define ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/common/progress.h"

namespace alignsae {

struct Stage {
  std::string name;    // A file name.
  std::string inputs;  // Everything that decides the outputs, as text.
  std::vector<std::string> outputs;  // Files, relative to the work directory.
  // Files from which a stopped run goes on. Removed before the stage runs with
  // other inputs than those that they were made from.
  std::vector<std::string> state = {};
  std::function<absl::Status()> run;
};

class StageBook {
 public:
  // `progress` may be null; it is told which stages run and which are skipped.
  StageBook(std::string work_directory, Progress* progress)
      : work_(std::move(work_directory)), progress_(progress) {}

  // Runs the stage unless it is done. Returns the digest of its inputs and
  // outputs.
  absl::StatusOr<std::string> Run(const Stage& stage);

  std::string Path(const std::string& relative) const {
    return work_ + "/" + relative;
  }

 private:
  absl::StatusOr<std::string> MakeMarker(const Stage& stage) const;
  // Removes the state of a run with other inputs, and notes these.
  absl::Status TakeState(const Stage& stage) const;
  std::string work_;
  Progress* progress_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_PIPELINE_STAGE_H_
