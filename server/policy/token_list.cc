#include "server/policy/token_list.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

constexpr size_t kDigits = 64;

bool IsDigest(absl::string_view text) {
  return text.size() == kDigits &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isxdigit(static_cast<unsigned char>(c));
         });
}

}  // namespace

absl::StatusOr<TokenList> TokenList::Read(absl::string_view text,
                                          const std::string& file,
                                          const Policy& policy) {
  TokenList list;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    const auto refuse = [&](absl::string_view rule, absl::string_view got) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ": line ", number, ": must ", rule, ", got ", got));
    };
    // Not what stands there: it may be a token that somebody forgot to hash.
    if (words.size() != 2 || !IsDigest(words[1])) {
      return refuse("be NAME and the 64 hexadecimal digits of a SHA-256",
                    "something else");
    }
    const PrincipalEntry* entry = policy.Find(words[0]);
    if (entry == nullptr || !entry->token) {
      return refuse("name a principal of the policy with \"token\": true",
                    Quoted(words[0]));
    }
    list.tokens_.emplace_back(words[0], absl::AsciiStrToLower(words[1]));
  }
  return list;
}

std::string TokenList::OwnerOf(absl::string_view token) const {
  const std::string digest = Sha256Hex(token);
  std::string owner;
  for (const auto& [name, known] : tokens_) {
    if (CRYPTO_memcmp(known.data(), digest.data(), kDigits) == 0) owner = name;
  }
  return owner;
}

}  // namespace alignsae
