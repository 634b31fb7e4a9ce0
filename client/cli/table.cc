#include "client/cli/table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
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

constexpr int kGap = 2;          // Between columns.
constexpr int kLeastText = 12;   // A column of text gets no narrower.
constexpr int kLeastWidth = 20;  // Of a table: less is not readable.

int TotalWidth(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(), 0) +
         kGap * (static_cast<int>(widths.size()) - 1);
}

// Makes the widest columns of text narrower until all fit into `width`, or as
// far as they go.
void Shrink(const std::vector<bool>& text, int width,
            std::vector<int>* widths) {
  while (TotalWidth(*widths) > width) {
    int* widest = nullptr;
    for (size_t c = 0; c < widths->size(); ++c) {
      int& each = (*widths)[c];
      if (!text[c] || each <= kLeastText) continue;
      if (widest == nullptr || each > *widest) widest = &each;
    }
    if (widest == nullptr) return;
    --*widest;
  }
}

// Bytes of the first `cells` characters of `text`.
size_t BytesOf(absl::string_view text, int cells) {
  size_t end = 0;
  while (end < text.size()) {
    if ((static_cast<uint8_t>(text[end]) & 0xc0) != 0x80 && cells-- == 0) break;
    ++end;
  }
  return end;
}

}  // namespace

Table::Table(std::vector<std::string> header) {
  Add(std::move(header), Style::kBold);
}

void Table::Add(std::vector<std::string> cells, Style style) {
  for (std::string& cell : cells) cell = Printable(cell);
  if (!rows_.empty()) cells.resize(rows_.front().cells.size());
  rows_.push_back({std::move(cells), style});
}

std::vector<int> Table::NaturalWidths() const {
  std::vector<int> widths(rows_.front().cells.size(), 0);
  for (const Row& row : rows_) {
    for (size_t c = 0; c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], DisplayWidth(row.cells[c]));
    }
  }
  return widths;
}

int Table::Width() const {
  const std::vector<int> widths = NaturalWidths();
  return TotalWidth(widths);
}

std::vector<bool> Table::TextColumns() const {
  std::vector<bool> text(rows_.front().cells.size(), false);
  for (size_t r = 1; r < rows_.size(); ++r) {
    for (size_t c = 0; c < text.size(); ++c) {
      const std::string& cell = rows_[r].cells[c];
      if (!cell.empty() && !IsNumber(cell)) text[c] = true;
    }
  }
  return text;
}

std::string Table::Block(const std::vector<size_t>& columns,
                         const std::vector<int>& widths,
                         const Look& look) const {
  std::string out;
  for (const Row& row : rows_) {
    std::vector<std::vector<std::string>> lines;  // Of each cell.
    size_t height = 1;
    for (size_t c : columns) {
      lines.push_back(Wrapped(row.cells[c], widths[c]));
      height = std::max(height, lines.back().size());
    }
    for (size_t i = 0; i < height; ++i) {
      std::string line;
      for (size_t k = 0; k < columns.size(); ++k) {
        const size_t c = columns[k];
        const std::string cell = i < lines[k].size() ? lines[k][i] : "";
        const std::string padding(widths[c] - DisplayWidth(cell), ' ');
        absl::StrAppend(
            &line, k == 0 ? "" : "  ",
            IsNumber(row.cells[c]) ? padding + cell : cell + padding);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      absl::StrAppend(&out, Styled(line, row.style, look), "\n");
    }
  }
  return out;
}

std::string Table::ToString(const Look& look) const {
  std::vector<int> widths = NaturalWidths();
  std::vector<size_t> all(widths.size());
  std::iota(all.begin(), all.end(), size_t{0});
  if (look.width <= 0 || TotalWidth(widths) <= look.width) {
    return Block(all, widths, look);
  }
  Shrink(TextColumns(), look.width, &widths);
  if (TotalWidth(widths) <= look.width) return Block(all, widths, look);

  // The first column leaves the others at least half of the room.
  const int room = std::max(look.width, kLeastWidth);
  widths[0] = std::min(widths[0], room / 2 - kGap);
  std::string out;
  std::vector<size_t> block = {0};
  int used = widths[0];
  for (size_t c = 1; c < widths.size(); ++c) {
    widths[c] = std::min(widths[c], room - widths[0] - kGap);
    if (block.size() > 1 && used + kGap + widths[c] > room) {
      absl::StrAppend(&out, Block(block, widths, look), "\n");
      block = {0};
      used = widths[0];
    }
    block.push_back(c);
    used += kGap + widths[c];
  }
  return out + Block(block, widths, look);
}

std::vector<std::string> Wrapped(absl::string_view text, int width) {
  std::vector<std::string> lines;
  while (width > 0 && DisplayWidth(text) > width) {
    const size_t fits = BytesOf(text, width);
    // The blank behind the last word that fits may be the next character.
    size_t end = text.substr(0, fits + 1).rfind(' ');
    if (end == absl::string_view::npos || end == 0) end = fits;
    lines.emplace_back(absl::StripTrailingAsciiWhitespace(text.substr(0, end)));
    text.remove_prefix(end);
    text = absl::StripLeadingAsciiWhitespace(text);
  }
  if (!text.empty() || lines.empty()) lines.emplace_back(text);
  return lines;
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
