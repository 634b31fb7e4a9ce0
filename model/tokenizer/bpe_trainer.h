// Trains a byte-level BPE vocabulary on a corpus, in the layout that Tokenizer
// and Hugging Face load.
//
// Ids: the 256 bytes in the order of GPT-2's vocabulary, then the merges by
// rank, then <|endoftext|>. Each token is made by one merge only. The most
// frequent pair goes first, of equals the one whose symbols have the lower ids.
//
// Thread-safety: free function without shared state. Deterministic.
// Errors: INVALID_ARGUMENT names the option and its rule.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(BpeVocabulary vocabulary,
//                             TrainBpe(texts, {.vocab_size = 4096}));

#ifndef ALIGNSAE_MODEL_TOKENIZER_BPE_TRAINER_H_
#define ALIGNSAE_MODEL_TOKENIZER_BPE_TRAINER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace alignsae {

struct BpeTrainerOptions {
  int vocab_size = 2048;  // With the 256 bytes and <|endoftext|>. [257, 65536].
  int min_frequency = 2;  // A pair seen less often is not merged. >= 1.
};

struct BpeVocabulary {
  // Contents of vocab.json. Smaller than asked for when the corpus has no more
  // pairs that are frequent enough; <|endoftext|> is the last id in any case.
  std::string vocab_json;
  std::string merges_txt;  // Contents of merges.txt.
};

// A merge costs what it changes, not a pass over the corpus: 1 MB takes a part
// of a second.
absl::StatusOr<BpeVocabulary> TrainBpe(absl::Span<const std::string> texts,
                                       const BpeTrainerOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_BPE_TRAINER_H_
