// A prompt with what it asks for, as a bundle stores it to have its checkpoint
// checked while it is served.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_MODEL_STEERING_VALIDATION_PROMPT_H_
#define ALIGNSAE_MODEL_STEERING_VALIDATION_PROMPT_H_

#include <map>
#include <string>

namespace alignsae {

struct ValidationPrompt {
  std::string text;          // Whole: a template is applied already.
  std::string concept_name;  // Empty: it asks none of the concepts.
  std::string answer;        // Without an edit; may be empty.
  std::map<std::string, std::string> targets;  // Swapped to -> answer.
  // Where it is read and edited: negative from the end, or, where there is one,
  // at the tokens of a text that stands once in it.
  int position = -1;
  std::string position_text = {};

  friend bool operator==(const ValidationPrompt&,
                         const ValidationPrompt&) = default;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_VALIDATION_PROMPT_H_
