// Merges the bytes of one piece into tokens: always the pair of neighbours with
// the lowest rank, the leftmost of them first.
//
// A piece of n bytes costs O(n log n): candidates wait in a heap and symbols
// form a linked list, so that a merge touches its two neighbours only. There is
// no cache; nothing grows with what was encoded before.
//
// Thread-safety: const methods may run in parallel, each with its own Scratch.
// Errors: none; every byte string encodes. Pieces are shorter than 4 GiB.

#ifndef ALIGNSAE_MODEL_TOKENIZER_BPE_MODEL_H_
#define ALIGNSAE_MODEL_TOKENIZER_BPE_MODEL_H_

#include <array>
#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/vocabulary.h"

namespace alignsae {

class BpeModel {
 public:
  // Working memory that EncodePiece reuses from piece to piece.
  class Scratch {
   public:
    // Candidates taken from the heap so far: the work done, for tests that hold
    // it to be near linear.
    int64_t steps() const { return steps_; }

   private:
    friend class BpeModel;

    struct Symbol {
      int32_t id;
      int32_t rank;   // Of the merge with the next symbol; kNoMerge: none.
      uint32_t prev;  // kNone: the first.
      uint32_t next;  // kNone: the last.
    };

    std::vector<Symbol> symbols_;
    std::vector<uint64_t> heap_;  // rank << 32 | position, smallest on top.
    int64_t steps_ = 0;
  };

  explicit BpeModel(const Vocabulary& vocabulary);

  // Appends the tokens of `piece` to `ids`.
  void EncodePiece(absl::string_view piece, Scratch& scratch,
                   std::vector<int32_t>& ids) const;

 private:
  struct Rule {
    int32_t rank;
    int32_t result;
  };

  static uint64_t Key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }

  void LoadBytes(absl::string_view piece, Scratch& scratch) const;
  // Looks up the merge of `at` with its next symbol; true if there is one.
  bool Rank(uint32_t at, Scratch& scratch) const;
  void MergeAt(uint32_t at, Scratch& scratch) const;

  std::array<int32_t, 256> id_of_byte_ = {};
  absl::flat_hash_map<uint64_t, Rule> rules_;  // By Key().
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_BPE_MODEL_H_
