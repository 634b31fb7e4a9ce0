// Prompts that ask for none of a checkpoint's concepts: what its second gate
// (sae/outside_gate.h) is fitted to and measured on. A JSON object a line:
//
//   {"kind": "other_attribute", "split": "validation",
//    "pattern": "How tall is {name}?"}
//
//   kind     of what sort it is; figures are told by kind too
//   split    validation: what the gate is fitted to; test: what measures it
//   pattern  a question; "{name}", where it has it, is each of some people
//
// model/train/data/negatives.jsonl are those of the demo's six concepts.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>";
// those of ReadFile.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_NEGATIVES_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_NEGATIVES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/train/data/eval_set.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/data/wordings.h"

namespace alignsae {

struct Negative {
  std::string kind;
  Split split = Split::kValidation;
  std::string pattern;
};

// Refused: no line of one of the splits, and a pattern that is there twice.
absl::StatusOr<std::vector<Negative>> ParseNegatives(absl::string_view text,
                                                     const std::string& file);
absl::StatusOr<std::vector<Negative>> ReadNegatives(const std::string& path);

struct NegativePrompts {
  std::vector<PositionedPrompt> prompts;  // Read at their last token.
  std::vector<std::string> kinds;         // Of each.
};

// Those of `split`, in the template of `set`. A pattern with {name} is asked of
// `names` people of the set, others for each pattern.
NegativePrompts MakeNegatives(const std::vector<Negative>& negatives,
                              const EvalSet& set, const Tokenizer& tokenizer,
                              Split split, int names);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_NEGATIVES_H_
