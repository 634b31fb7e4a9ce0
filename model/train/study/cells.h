// The working directory of studies: what one process leaves for another.
//
//   cells/<id>.json     the figures of one cell, written when they are whole;
//                       the id is a hash of all that decides them
//   locks/<id>          there while a process is at the cell (run.h)
//   <plan>/cells.json   which cells a plan has: every process writes the same
//                       bytes, and a report needs nothing else
//
// Thread-safety: free functions; any number of processes.
// Errors: NOT_FOUND for what is not there; DATA_LOSS for what is damaged, with
// the path; those of the file writer.

#ifndef ALIGNSAE_MODEL_TRAIN_STUDY_CELLS_H_
#define ALIGNSAE_MODEL_TRAIN_STUDY_CELLS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/study/plan.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct IndexedCell {
  nlohmann::ordered_json settings;  // Axis -> value.
  uint64_t seed = 1;
  std::string id;
};

struct StudyIndex {
  std::string plan;
  std::string about;
  std::string command;  // That measures all cells; one: "--cell ID" besides.
  std::vector<std::string> axes;
  std::vector<IndexedCell> cells;  // Seeds of one setting side by side.
};

StudyIndex IndexOf(const StudyPlan& plan, const std::string& command);

absl::Status WriteStudyIndex(const std::string& directory,
                             const StudyIndex& index);

// Of every plan that has been begun there, by name. NOT_FOUND: none.
absl::StatusOr<std::vector<StudyIndex>> ReadStudyIndexes(
    const std::string& directory);

std::string CellPath(const std::string& directory, const std::string& id);

// A cell's figures, or why it was refused; NOT_FOUND when it has not been
// measured.
absl::StatusOr<nlohmann::json> ReadCell(const std::string& directory,
                                        const std::string& id);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_STUDY_CELLS_H_
