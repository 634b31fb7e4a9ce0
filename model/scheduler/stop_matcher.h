// StopMatcher: finds stop sequences in a stream of bytes, across the borders of
// tokens and characters, and says which bytes can be given out already.
//
// One automaton (Knuth, Morris, Pratt) for each stop sequence, so that a byte
// costs constant time on average whatever the text is.
//
// Thread-safety: not thread-safe; one stream, one thread.
//
// Example:
//   StopMatcher matcher({"\n\n"});
//   matcher.Push("Lima\n").released;       // "Lima": "\n" may begin a stop.
//   matcher.Push("\nQ:").stop_index;       // 0: "\n\n" was met.

#ifndef ALIGNSAE_MODEL_SCHEDULER_STOP_MATCHER_H_
#define ALIGNSAE_MODEL_SCHEDULER_STOP_MATCHER_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace alignsae {

class StopMatcher {
 public:
  // `stops`: none is empty.
  explicit StopMatcher(std::vector<std::string> stops);

  struct Result {
    std::string released;  // Bytes that are part of the text for sure.
    // Set when a stop sequence is complete: the first to be, and the longest
    // when several are at once. What it consists of is never released, and
    // nothing may be pushed after it.
    std::optional<int> stop_index;
  };
  Result Push(absl::string_view bytes);

  // What is held back: it was no stop sequence after all.
  std::string Finish();

  const std::vector<std::string>& stops() const { return stops_; }

 private:
  // Feeds one byte to automaton `i`; true when its stop is complete.
  bool Advance(size_t i, char byte);

  std::vector<std::string> stops_;
  // fallback_[i][n]: length of the longest proper prefix of stops_[i] that ends
  // its first n + 1 bytes.
  std::vector<std::vector<int>> fallback_;
  std::vector<int> matched_;  // Bytes of each stop that end the stream now.
  std::string held_;          // Bytes not released, the longest of matched_.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_STOP_MATCHER_H_
