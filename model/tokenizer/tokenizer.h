// GPT-2's byte-level BPE tokenizer, from vocab.json + merges.txt or from
// tokenizer.json, with added_tokens.json; and GPT-NeoX's, which is the same
// behind Unicode's NFC (nfc.h).
//
// Any byte string below 4 GiB encodes, and Decode(Encode(x)) == x but for the
// blanks that an added token with lstrip or rstrip takes, and NFC. The
// pre-tokenizer is a linear scanner, not a regex engine; encoding a text of n
// bytes costs O(n log n) whatever the text. On one core with GPT-2's vocabulary
// a MiB takes about 0.1 s of prose and 0.35 s at worst (one letter), 64 KiB of
// that letter 12 ms. Added tokens add text bytes times the longest one's at
// worst.
//
// Thread-safety: immutable after load; share by const reference.
// Errors: INVALID_ARGUMENT names the file, the entry and the rule.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(Tokenizer tok, Tokenizer::Load("gpt2/"));
//   std::vector<int32_t> ids = tok.Encode("Hello world");

#ifndef ALIGNSAE_MODEL_TOKENIZER_TOKENIZER_H_
#define ALIGNSAE_MODEL_TOKENIZER_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace alignsae {

class Tokenizer {
 public:
  // Bytes [begin, end) of a text.
  struct Span {
    size_t begin = 0;
    size_t end = 0;

    friend bool operator==(const Span&, const Span&) = default;
  };

  // Added tokens that are not special become their ids in every text.
  struct EncodeOptions {
    // Whether special tokens such as <|endoftext|> in the text become their ids
    // too. Off by default: a request's text is text.
    bool parse_special = false;
    // Where in the text they do though `parse_special` is off, in order and
    // disjoint: what a prompt template itself says (prompt_template.h).
    absl::Span<const Span> special_in = {};
  };

  struct EncodedToken {
    int32_t id = 0;
    size_t begin = 0;  // Byte in the text where it begins.
  };

  // Loads from a Hugging Face directory. `tokenizer.json` wins over
  // vocab.json + merges.txt when both are there and both must then agree.
  static absl::StatusOr<Tokenizer> Load(const std::string& directory);

  // From the contents of the files; `added_tokens_json` may be empty: there is
  // no such file. README.md has the rules for each file.
  static absl::StatusOr<Tokenizer> FromFiles(
      absl::string_view vocab_json, absl::string_view merges_txt,
      absl::string_view added_tokens_json);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  std::vector<int32_t> Encode(absl::string_view text,
                              const EncodeOptions& options) const;
  std::vector<int32_t> Encode(absl::string_view text) const {
    return Encode(text, EncodeOptions());
  }

  std::vector<EncodedToken> EncodeWithOffsets(
      absl::string_view text, const EncodeOptions& options) const;

  // The bytes of `ids`, which may be half a character at either end. Ids out
  // of [0, vocab_size) are INVALID_ARGUMENT.
  absl::StatusOr<std::string> Decode(absl::Span<const int32_t> ids) const;

  // The bytes of one token. `id` in [0, vocab_size).
  absl::string_view TokenBytes(int32_t id) const;
  bool IsSpecial(int32_t id) const;

  int vocab_size() const;        // Largest id + 1, added tokens included.
  int32_t eos_token_id() const;  // Id of <|endoftext|>, or -1.
  // What was odd in the files and taken all the same, one sentence each.
  const std::vector<std::string>& warnings() const;
  // Bytes of the longest token that is text (not special); 0 without any.
  size_t longest_text_token() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Turns a stream of tokens into a stream of valid UTF-8: bytes of an unfinished
// character are held back until it is whole; a sequence that can no longer
// become valid is given out as U+FFFD.
//
// Thread-safety: one stream, one thread. The tokenizer must outlive it.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer* tokenizer) : tokenizer_(tokenizer) {}

  // The text that `id` completes; may be empty.
  std::string Push(int32_t id);
  // What is held back, as U+FFFD where it is not whole.
  std::string Finish();

 private:
  const Tokenizer* tokenizer_;
  std::string pending_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TOKENIZER_TOKENIZER_H_
