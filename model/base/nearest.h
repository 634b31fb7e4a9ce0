// Which of the names that there are somebody may have meant.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_BASE_NEAREST_H_
#define ALIGNSAE_MODEL_BASE_NEAREST_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace alignsae {

// Letters that must be put in, left out, changed or exchanged with their
// neighbour to make `b` of `a`; bytes, without regard to case.
int EditDistance(absl::string_view a, absl::string_view b);

// The one of `names` that is nearest to `word`, if it is near: a third of the
// letters may be wrong, or `word` is how it begins. Empty: none is. The first
// of several that are equally near.
std::string Nearest(absl::string_view word,
                    const std::vector<std::string>& names);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_NEAREST_H_
