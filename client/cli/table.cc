#include "client/cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace alignsae {
namespace {

bool IsNumber(const std::string& cell) {
  double value = 0;
  return absl::SimpleAtod(cell, &value);
}

// Length of the valid UTF-8 sequence at the front of `text`, 0 when invalid.
size_t SequenceLength(absl::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  size_t length = 0;
  uint32_t code = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) {
    length = 2;
    code = lead & 0x1f;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    length = 3;
    code = lead & 0x0f;
  } else if (lead >= 0xf0 && lead < 0xf5) {
    length = 4;
    code = lead & 0x07;
  }
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3f);
  }
  const bool overlong =
      (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return overlong || surrogate || code > 0x10ffff ? 0 : length;
}

}  // namespace

Table::Table(std::vector<std::string> header) { Add(std::move(header)); }

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::ToString() const {
  std::vector<int> widths(rows_.front().size(), 0);
  for (const std::vector<std::string>& row : rows_) {
    for (size_t c = 0; c < widths.size() && c < row.size(); ++c) {
      widths[c] = std::max(widths[c], DisplayWidth(row[c]));
    }
  }
  std::string out;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t c = 0; c < widths.size(); ++c) {
      const std::string cell = c < row.size() ? row[c] : "";
      const std::string padding(widths[c] - DisplayWidth(cell), ' ');
      absl::StrAppend(&line, c == 0 ? "" : "  ",
                      IsNumber(cell) ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, line, "\n");
  }
  return out;
}

std::string Bar(double fraction, int width) {
  static constexpr absl::string_view kEighths[] = {"",  "▏", "▎", "▍",
                                                   "▌", "▋", "▊", "▉"};
  if (!(fraction > 0)) return "";
  const int eighths =
      static_cast<int>(std::lround(std::min(fraction, 1.0) * width * 8));
  std::string bar;
  for (int i = 0; i < eighths / 8; ++i) absl::StrAppend(&bar, "█");
  absl::StrAppend(&bar, kEighths[eighths % 8]);
  return bar;
}

std::string Printable(absl::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = SequenceLength(text);
    const uint8_t lead = static_cast<uint8_t>(text[0]);
    // C1 controls (U+0080 to U+009F) drive terminals too.
    const bool c1 =
        length == 2 && lead == 0xc2 && static_cast<uint8_t>(text[1]) < 0xa0;
    if (lead == '\n') {
      absl::StrAppend(&out, "\\n");
    } else if (lead == '\t') {
      absl::StrAppend(&out, "\\t");
    } else if (length == 0 || c1 || lead < 0x20 || lead == 0x7f) {
      absl::StrAppendFormat(&out, "\\x%02x", lead);
      if (c1)
        absl::StrAppendFormat(&out, "\\x%02x", static_cast<uint8_t>(text[1]));
    } else {
      absl::StrAppend(&out, text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string Shortened(absl::string_view text, int width) {
  std::string out = Printable(text);
  if (DisplayWidth(out) <= width) return out;
  // A character is its first byte and the continuation bytes behind it.
  const auto continues = [](char c) {
    return (static_cast<uint8_t>(c) & 0xc0) == 0x80;
  };
  while (DisplayWidth(out) >= width) {
    while (continues(out.back())) out.pop_back();
    out.pop_back();
  }
  return out + "…";
}

int DisplayWidth(absl::string_view text) {
  int width = 0;
  for (char c : text) {
    if ((static_cast<uint8_t>(c) & 0xc0) != 0x80) ++width;
  }
  return width;
}

}  // namespace alignsae
