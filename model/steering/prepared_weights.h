// What became of a model's prepared weights at a load: taken from the file that
// an earlier load had written, or made anew (bundle/prepared_place.h).
//
// Thread-safety: plain data.

#ifndef ALIGNSAE_MODEL_STEERING_PREPARED_WEIGHTS_H_
#define ALIGNSAE_MODEL_STEERING_PREPARED_WEIGHTS_H_

#include <string>

namespace alignsae {

enum class PreparedResult {
  kRead,     // From the file.
  kMade,     // There was no file; there is one now.
  kRemade,   // The file was of something else, or damaged; it is written anew.
  kNotKept,  // Made, and could not be written.
};

inline const char* PreparedResultName(PreparedResult result) {
  switch (result) {
    case PreparedResult::kRead:
      return "read";
    case PreparedResult::kMade:
      return "made";
    case PreparedResult::kRemade:
      return "remade";
    case PreparedResult::kNotKept:
      return "not_kept";
  }
  return "";
}

struct PreparedWeights {
  std::string type;  // int8, bf16 or f32.
  PreparedResult result = PreparedResult::kRead;
  std::string why;  // Of kRemade and kNotKept: a sentence, with the path.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_PREPARED_WEIGHTS_H_
