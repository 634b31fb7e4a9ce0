#include "model/base/nearest.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace alignsae {
namespace {

// Longer words are not what somebody mistyped, and cost time.
constexpr size_t kLongest = 128;
constexpr size_t kLeastBeginning = 3;  // Of a name, to mean the whole of it.

}  // namespace

int EditDistance(absl::string_view a, absl::string_view b) {
  // Rows of the table of distances of beginnings: two before, one before, this.
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
  const auto same = [&](size_t i, size_t j) {
    return absl::ascii_tolower(static_cast<unsigned char>(a[i])) ==
           absl::ascii_tolower(static_cast<unsigned char>(b[j]));
  };
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1,
                         last[j - 1] + (same(i - 1, j - 1) ? 0 : 1)});
      if (i > 1 && j > 1 && same(i - 1, j - 2) && same(i - 2, j - 1)) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string Nearest(absl::string_view word,
                    const std::vector<std::string>& names) {
  if (word.empty() || word.size() > kLongest) return "";
  std::string nearest;
  int least = std::max<int>(1, static_cast<int>(word.size()) / 3) + 1;
  for (const std::string& name : names) {
    if (name.size() > kLongest) continue;
    const int distance = EditDistance(word, name);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  if (!nearest.empty() || word.size() < kLeastBeginning) return nearest;
  for (const std::string& name : names) {
    if (absl::StartsWithIgnoreCase(name, word)) return name;
  }
  return "";
}

}  // namespace alignsae
