// A corpus of a few people with its tokenizer: seconds of training, not
// minutes.

#ifndef ALIGNSAE_TESTS_TRAIN_LM_FIXTURE_H_
#define ALIGNSAE_TESTS_TRAIN_LM_FIXTURE_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/tokenizer/tokenizer.h"
#include "model/train/data/corpus.h"
#include "model/train/data/lm_texts.h"
#include "model/train/lm/model.h"
#include "model/train/lm/options.h"

namespace alignsae {

inline Corpus SmallCorpus() {
  return *GenerateCorpus({.people = 6, .biographies_per_person = 3});
}

inline LmOptions SmallOptions() {
  LmOptions options;
  options.layers = 2;
  options.heads = 2;
  options.width = 16;
  options.context = 160;
  options.vocab_size = 512;
  options.epochs = 2;
  options.warmup_steps = 4;
  options.biography_batch = 6;
  options.question_batch = 12;
  options.seed = 3;
  return options;
}

inline Tokenizer SmallTokenizer(const Corpus& corpus) {
  const VocabularyFiles files =
      *MakeVocabulary(LmTextsOf(corpus), SmallOptions(), "");
  return *Tokenizer::FromFiles(files.vocab_json, files.merges_txt, "");
}

// Below gtest's; removed with the object.
class TemporaryDirectory {
 public:
  explicit TemporaryDirectory(const std::string& name)
      : path_(absl::StrCat(::testing::TempDir(), name)) {
    std::filesystem::remove_all(path_);
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const {
    return absl::StrCat(path_, "/", name);
  }

 private:
  std::string path_;
};

// Everything below `directory`, by relative path: the bytes of each file, and
// "directory" for each directory. Empty when it does not exist.
inline std::map<std::string, std::string> TreeOf(const std::string& directory) {
  std::map<std::string, std::string> tree;
  if (!std::filesystem::exists(directory)) return tree;
  tree["."] = "directory";
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(directory)) {
    tree[std::filesystem::relative(entry.path(), directory)] =
        entry.is_regular_file() ? ReadFile(entry.path().string()).value()
                                : "directory";
  }
  return tree;
}

// Paths whose contents differ, and those that only one side has.
inline std::vector<std::string> Differences(
    const std::map<std::string, std::string>& before,
    const std::map<std::string, std::string>& after) {
  std::vector<std::string> paths;
  for (const auto& [path, contents] : before) {
    const auto it = after.find(path);
    if (it == after.end() || it->second != contents) paths.push_back(path);
  }
  for (const auto& [path, contents] : after) {
    if (before.count(path) == 0) paths.push_back(path);
  }
  return paths;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_TRAIN_LM_FIXTURE_H_
