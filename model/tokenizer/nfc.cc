#include "model/tokenizer/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "model/tokenizer/utf8.h"

namespace alignsae {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

// Below it, every character is its own NFC, and composes with none before it.
constexpr char32_t kFirstThatComposes = 0x300;

int CombiningClass(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// Canonical decomposition, marks in canonical order.
CodePoints Decomposed(const CodePoints& cluster) {
  constexpr int kLongest = 8;  // Unicode's has 4.
  CodePoints out;
  for (utf8proc_int32_t c : cluster) {
    utf8proc_int32_t parts[kLongest];
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        c, parts, kLongest, UTF8PROC_DECOMPOSE, /*last_boundclass=*/nullptr);
    out.insert(out.end(), parts,
               parts + std::clamp<utf8proc_ssize_t>(count, 0, kLongest));
  }
  for (auto begin = out.begin(); begin != out.end();) {
    if (CombiningClass(*begin) == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, out.end(), [](utf8proc_int32_t c) {
      return CombiningClass(c) == 0;
    });
    std::stable_sort(begin, end, [](utf8proc_int32_t a, utf8proc_int32_t b) {
      return CombiningClass(a) < CombiningClass(b);
    });
    begin = end;
  }
  return out;
}

CodePoints Composed(const CodePoints& cluster) {
  CodePoints out = Decomposed(cluster);
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  out.resize(utf8proc_normalize_utf32(
      out.data(), static_cast<utf8proc_ssize_t>(out.size()), options));
  return out;
}

void Append(const CodePoints& characters, std::string& out) {
  for (utf8proc_int32_t c : characters) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t count = utf8proc_encode_char(c, bytes);
    out.append(reinterpret_cast<const char*>(bytes), count);
  }
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

// The grapheme cluster at the start of `text`, which is not empty.
struct Cluster {
  CodePoints characters;  // Empty: bytes that are no character.
  size_t bytes = 0;
};

void ReadCluster(absl::string_view text, Cluster& cluster) {
  cluster.characters.clear();
  cluster.bytes = 0;
  utf8proc_int32_t state = 0;
  while (cluster.bytes < text.size()) {
    const Utf8Char c = ReadUtf8(text.substr(cluster.bytes));
    const auto code_point = static_cast<utf8proc_int32_t>(c.code_point);
    if (c.state != Utf8Char::kWhole) {
      if (cluster.bytes == 0) cluster.bytes = c.length;
      return;
    }
    if (!cluster.characters.empty() &&
        utf8proc_grapheme_break_stateful(cluster.characters.back(), code_point,
                                         &state)) {
      return;
    }
    cluster.characters.push_back(code_point);
    cluster.bytes += c.length;
  }
}

bool IsComposed(const CodePoints& cluster) {
  return cluster.empty() ||
         (cluster.size() == 1 &&
          static_cast<char32_t>(cluster[0]) < kFirstThatComposes);
}

}  // namespace

NfcText::NfcText(absl::string_view text) : original_(text) {
  if (IsAscii(text)) return;
  composed_.reserve(text.size());
  Cluster cluster;
  for (size_t from = 0; from < text.size(); from += cluster.bytes) {
    ReadCluster(text.substr(from), cluster);
    const size_t begin = composed_.size();
    if (!IsComposed(cluster.characters)) {
      const CodePoints composed = Composed(cluster.characters);
      if (composed != cluster.characters) {
        Append(composed, composed_);
        runs_.push_back({.begin = begin,
                         .end = composed_.size(),
                         .from = from,
                         .from_end = from + cluster.bytes});
        continue;
      }
    }
    absl::StrAppend(&composed_, text.substr(from, cluster.bytes));
  }
}

size_t NfcText::Origin(size_t byte) const {
  const auto behind =
      std::upper_bound(runs_.begin(), runs_.end(), byte,
                       [](size_t b, const Run& run) { return b < run.begin; });
  if (behind == runs_.begin()) return byte;
  const Run& run = *(behind - 1);
  return byte < run.end ? run.from : run.from_end + (byte - run.end);
}

}  // namespace alignsae
