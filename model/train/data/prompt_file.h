// Labelled prompts: the one input of training, calibrating, evaluating and
// validating concepts of one's own. A JSON object a line, with the keys of
// model/base/labelled_line.h and these rules:
//
//   concept    one or several; null: none of them ("negatives")
//   split      train, validation or test. On every line or on none; without,
//              groups are split 60 : 20 : 20 by `seed`, concept by concept
//   group      what must not stand in two splits; without, the prompt itself
//   answer     for the value heads and the figures
//   targets    of concepts of the file
//
// Concepts are those that the lines name, in the order of their first line. A
// name "facet/concept" belongs to a facet: concepts of one facet exclude each
// other, those of different facets do not. Names without "/" are one facet.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>";
// those of ReadFile.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_FILE_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_FILE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/data/corpus.h"
#include "model/train/data/wordings.h"

namespace alignsae {

struct LabelledPrompt {
  int line = 0;  // In the file, from 1.
  // One of both.
  std::string text;
  std::vector<int32_t> token_ids;
  int position = -1;          // Negative: from the end.
  std::string position_text;  // Not empty: instead of `position`.
  std::vector<int> concepts;  // Rising indices; empty: a negative.
  Split split = Split::kSaeTrain;
  std::string group;
  std::string answer;                  // No blank before; may be empty.
  std::map<int, std::string> targets;  // Concept -> answer.
};

struct PromptSet {
  std::string file;  // For messages.
  std::vector<std::string> concepts;
  std::vector<LabelledPrompt> prompts;
};

// The facets of `concepts`: [facet] -> rising indices, in order of first
// appearance.
std::vector<std::vector<int>> FacetsOf(
    const std::vector<std::string>& concepts);

// "train", "validation" or "test"; nothing for another split.
absl::string_view PromptSplitName(Split split);

// `file` is for messages. Also refused: a concept without prompts in one of the
// splits; a concept with more than kMaxImbalance times the training prompts of
// another one; a prompt, or a group, in two splits.
inline constexpr int kMaxImbalance = 10;
absl::StatusOr<PromptSet> ParsePrompts(absl::string_view text,
                                       const std::string& file, uint64_t seed);
absl::StatusOr<PromptSet> ReadPrompts(const std::string& path, uint64_t seed);

// The error of a prompt that was read: "<file>:<line>: <what>".
absl::Status BadPrompt(const PromptSet& set, const LabelledPrompt& prompt,
                       absl::string_view what);

// The questions of `corpus` in those three splits, as lines: a relation is a
// concept, a wording a group, the person's other facts the targets; of many
// relations the first that follow, for the file's size.
inline constexpr int kMostTargets = 10;
std::string PromptLinesOf(const Corpus& corpus);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_PROMPT_FILE_H_
