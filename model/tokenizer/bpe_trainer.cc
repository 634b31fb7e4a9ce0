#include "model/tokenizer/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <queue>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/limits.h"
#include "model/tokenizer/pretokenizer.h"

namespace alignsae {
namespace {

using SymbolPair = std::pair<int32_t, int32_t>;

struct Word {
  std::vector<int32_t> symbols;
  int64_t count = 0;  // In the corpus.
};

struct PairState {
  int64_t count = 0;
  int64_t queued_count = 0;  // Of its newest candidate.
  // Words that may hold the pair: some may have lost it, none is missing.
  std::vector<int32_t> words;
};

// A pair with the count it had when it was queued.
struct Candidate {
  int64_t count;
  SymbolPair pair;

  bool operator<(const Candidate& other) const {
    if (count != other.count) return count < other.count;
    return pair > other.pair;  // Ties: lower ids first.
  }
};

// Keeps the pair counts up to date while pairs are merged, so that a merge
// costs what it changes and not a pass over the corpus.
class Merger {
 public:
  Merger(std::vector<Word> words, int64_t min_frequency)
      : words_(std::move(words)), min_frequency_(min_frequency) {
    for (uint8_t byte : BytesInVocabularyOrder()) {
      tokens_.emplace_back(1, static_cast<char>(byte));
    }
    for (size_t w = 0; w < words_.size(); ++w) {
      AddPairs(static_cast<int32_t>(w), +1);
    }
    QueueTouched();
  }

  // Makes one more token; false if no pair is frequent enough.
  //
  // No token is made twice: where merges so far cross neither end of a string,
  // they cut it in one way only (of a run of equal symbols the left ones pair
  // up, and what lies before an uncrossed border is of even length), and once
  // two parts merge to that string it is no longer in parts anywhere.
  bool MergeBest() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const auto it = pairs_.find(best.pair);
      if (it == pairs_.end() || it->second.count != best.count) continue;
      if (best.count < min_frequency_) return false;
      std::string bytes =
          absl::StrCat(tokens_[best.pair.first], tokens_[best.pair.second]);
      if (bytes.size() > kMaxTokenBytes) continue;
      tokens_.push_back(std::move(bytes));
      merges_.push_back(best.pair);
      // Moved out: the map that holds the list grows meanwhile.
      const std::vector<int32_t> words = std::move(it->second.words);
      Apply(best.pair, words);
      return true;
    }
    return false;
  }

  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<SymbolPair>& merges() const { return merges_; }

 private:
  void AddPairs(int32_t word_index, int sign) {
    const Word& word = words_[word_index];
    for (size_t i = 1; i < word.symbols.size(); ++i) {
      const SymbolPair pair = {word.symbols[i - 1], word.symbols[i]};
      PairState& state = pairs_[pair];
      state.count += sign * word.count;
      if (sign > 0 &&
          (state.words.empty() || state.words.back() != word_index)) {
        state.words.push_back(word_index);
      }
      touched_.push_back(pair);
    }
  }

  // Merges the newest rule's pair in `word_indices`.
  void Apply(SymbolPair pair, const std::vector<int32_t>& word_indices) {
    const int32_t merged = static_cast<int32_t>(tokens_.size()) - 1;
    for (int32_t index : word_indices) {
      std::vector<int32_t>& symbols = words_[index].symbols;
      if (!Holds(symbols, pair)) continue;
      AddPairs(index, -1);
      size_t out = 0;
      for (size_t i = 0; i < symbols.size(); ++i) {
        const bool hit = i + 1 < symbols.size() && symbols[i] == pair.first &&
                         symbols[i + 1] == pair.second;
        symbols[out++] = hit ? merged : symbols[i];
        if (hit) ++i;
      }
      symbols.resize(out);
      AddPairs(index, +1);
    }
    QueueTouched();
  }

  static bool Holds(const std::vector<int32_t>& symbols, SymbolPair pair) {
    for (size_t i = 1; i < symbols.size(); ++i) {
      if (symbols[i - 1] == pair.first && symbols[i] == pair.second) {
        return true;
      }
    }
    return false;
  }

  void QueueTouched() {
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()),
                   touched_.end());
    for (const SymbolPair& pair : touched_) {
      const auto it = pairs_.find(pair);
      PairState& state = it->second;
      if (state.count == 0) {
        pairs_.erase(it);
      } else if (state.count != state.queued_count) {
        state.queued_count = state.count;
        queue_.push({state.count, pair});
      }
    }
    touched_.clear();
  }

  std::vector<Word> words_;
  const int64_t min_frequency_;
  std::vector<std::string> tokens_;  // Bytes by id.
  std::vector<SymbolPair> merges_;
  absl::flat_hash_map<SymbolPair, PairState> pairs_;
  std::priority_queue<Candidate> queue_;
  std::vector<SymbolPair> touched_;  // Counts changed since they were queued.
};

// The distinct pieces of the corpus as byte ids.
std::vector<Word> CollectWords(absl::Span<const std::string> texts) {
  std::array<int32_t, 256> id_of_byte = {};
  for (int32_t id = 0; id < 256; ++id) {
    id_of_byte[BytesInVocabularyOrder()[id]] = id;
  }
  absl::flat_hash_map<absl::string_view, size_t> index_of;
  std::vector<Word> words;
  for (const std::string& text : texts) {
    Pretokenizer pieces(text);
    while (!pieces.done()) {
      const absl::string_view piece = pieces.Next();
      const auto [it, is_new] = index_of.try_emplace(piece, words.size());
      if (is_new) {
        Word word;
        word.symbols.reserve(piece.size());
        for (char c : piece) {
          word.symbols.push_back(id_of_byte[static_cast<uint8_t>(c)]);
        }
        words.push_back(std::move(word));
      }
      ++words[it->second].count;
    }
  }
  return words;
}

// The byte alphabet has no characters that JSON escapes but these two.
std::string JsonQuoted(const std::string& symbols) {
  std::string quoted = "\"";
  for (char c : symbols) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

BpeVocabulary Render(const Merger& merger) {
  BpeVocabulary out;
  std::vector<std::string> symbols;
  out.vocab_json = "{";
  for (const std::string& bytes : merger.tokens()) {
    symbols.push_back(SymbolsFromBytes(bytes));
    absl::StrAppend(&out.vocab_json, JsonQuoted(symbols.back()), ":",
                    symbols.size() - 1, ",");
  }
  absl::StrAppend(&out.vocab_json, JsonQuoted(std::string(kEndOfText)), ":",
                  symbols.size(), "}\n");
  out.merges_txt = "#version: 0.2\n";
  for (const auto& [left, right] : merger.merges()) {
    absl::StrAppend(&out.merges_txt, symbols[left], " ", symbols[right], "\n");
  }
  return out;
}

}  // namespace

absl::StatusOr<BpeVocabulary> TrainBpe(absl::Span<const std::string> texts,
                                       const BpeTrainerOptions& options) {
  if (options.vocab_size < 257 || options.vocab_size > 65536) {
    return absl::InvalidArgumentError(absl::StrCat(
        "vocab_size: must be in [257, 65536], got ", options.vocab_size));
  }
  if (options.min_frequency < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "min_frequency: must be at least 1, got ", options.min_frequency));
  }
  Merger merger(CollectWords(texts), options.min_frequency);
  const size_t tokens = static_cast<size_t>(options.vocab_size) - 1;
  while (merger.tokens().size() < tokens && merger.MergeBest()) {
  }
  return Render(merger);
}

}  // namespace alignsae
