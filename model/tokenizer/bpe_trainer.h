// Trains a byte-level BPE vocabulary on a corpus, in the layout that Tokenizer
// and Hugging Face load.
//
// Thread-safety: free function. Deterministic: ties go to the pair whose
// symbols have the lower ids.

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
  std::string
      vocab_json;  // Contents of vocab.json; <|endoftext|> is the last id.
  std::string merges_txt;  // Contents of merges.txt.
};

absl::StatusOr<BpeVocabulary> TrainBpe(absl::Span<const std::string> texts,
                                       const BpeTrainerOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_BPE_TRAINER_H_
