// What a language model learns, from a directory that `data` made: a corpus of
// people or the like (corpus_file.h), or, where data.json says "facts": "hops",
//
//   texts.jsonl    {"text"}, or {"prompt", "answer", "asked", "probes",
//                  "group"}: a question; asked: it is learned; probes: the
//                  splits that it is asked in
//   prompts.jsonl  the questions as labelled prompts (prompt_file.h)
//   facts.jsonl    {"name", "relation", "value"}
//   data.json      options, counts, SHA-256 of the three; written last
//
// Thread-safety: free functions.
// Errors: those of corpus_file.h.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_TEXTS_FILE_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_TEXTS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/data/hops.h"
#include "model/train/data/lm_texts.h"

namespace alignsae {

// Creates `directory` where it is missing. Returns the hash of the data.
absl::StatusOr<std::string> WriteHops(const std::string& directory,
                                      const HopData& data);

absl::StatusOr<LmTexts> ReadLmTexts(const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_TEXTS_FILE_H_
