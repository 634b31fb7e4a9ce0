// A line of a file of labelled prompts, a JSON object:
//
//   {"prompt": "Where was Ann born?", "concept": "birth_city",
//    "split": "train", "group": "where", "answer": "Oslo",
//    "targets": {"employer": "Acme"}}
//
//   prompt     the text; or "token_ids": [..] instead. Not empty.
//   position   where the concept is read and written: -1 (the default), the
//              last token; another negative number counts from the end;
//              0 .. from the beginning; {"text": "Ann Lee"}: the tokens of this
//              text, by the rule of model/tokenizer/text_span.h
//   concept    a name, several names, or null: none of them. Must be there.
//   split      a part of the file, such as "test"
//   group      what belongs together
//   answer     what the model says next
//   targets    what it should say when steered to another concept
//
// What names, splits and numbers of concepts a file may have is its reader's
// matter: the trainer's prompt files (model/train/data/prompt_file.h), those of
// `alignsae validate` and a checkpoint's validation.jsonl are read by this.
//
// Thread-safety: value type; free functions.
// Errors: INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_BASE_LABELLED_LINE_H_
#define ALIGNSAE_MODEL_BASE_LABELLED_LINE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// Texts that are absent are empty; none that is there is.
struct LabelledLine {
  std::string place;  // "<file>:<line>", for messages.
  int number = 0;     // Of the line, from 1.
  // One of both.
  std::string text;
  std::vector<int32_t> token_ids;
  int position = -1;
  std::string position_text;          // Not empty: instead of `position`.
  std::vector<std::string> concepts;  // Distinct; empty: null.
  std::string split;
  std::string group;
  std::string answer;
  std::map<std::string, std::string> targets;  // Concept -> answer.

  // The error of a key of this line.
  absl::Status Refuse(absl::string_view key, absl::string_view rule,
                      absl::string_view got) const;
  // The one concept, or "" for none. Refused: several.
  absl::Status OneConcept(std::string& name) const;
};

// Calls `read` with each line of `text` that is not blank, until one fails.
// `file` is for messages.
absl::Status ForEachLabelledLine(
    absl::string_view text, const std::string& file,
    const std::function<absl::Status(LabelledLine)>& read);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_LABELLED_LINE_H_
