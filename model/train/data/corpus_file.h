// A corpus on disk: one directory with
//   data.json          options, counts, prompt template, relations, and the
//                      SHA-256 of the three others
//   people.jsonl       {"id", "name", "asked", "facts": {relation: value}}
//   biographies.jsonl  {"person", "text"}
//   questions.jsonl    {"person", "relation", "wording", "split", "prompt",
//                       "answer"}
// data.json is written last: a directory with one is whole.
//
// Thread-safety: free functions.
// Errors: NOT_FOUND or DATA_LOSS naming the file (a hash that differs);
// INVALID_ARGUMENT "<file>:<line>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_FILE_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/train/data/corpus.h"

namespace alignsae {

// Of every kind of data (texts_file.h too).
inline constexpr char kDataFile[] = "data.json";
inline constexpr int kDataFormatVersion = 2;

// What Corpus::hash holds.
std::string CorpusHash(const Corpus& corpus);

// Creates `directory` where it is missing.
absl::Status WriteCorpus(const std::string& directory, const Corpus& corpus);

absl::StatusOr<Corpus> ReadCorpus(const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_CORPUS_FILE_H_
