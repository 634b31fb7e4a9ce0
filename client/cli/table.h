// Tables and bars for people, in UTF-8. In a pipe and in a log they are as wide
// as they need to be and have no colour codes; a terminal gets what fits it.
//
// Thread-safety: value types; pure functions.

#ifndef ALIGNSAE_CLIENT_CLI_TABLE_H_
#define ALIGNSAE_CLIENT_CLI_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "model/terminal/terminal.h"

namespace alignsae {

// Columns are as wide as their widest cell; numbers (cells that parse as one)
// align right. Cells are made printable (see Printable).
//
// A table wider than its look allows gets narrower columns of text, whose cells
// then take several lines. Where that is not enough its columns come in blocks,
// one below the other, each with the first column again. Nothing is left out.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // One cell per column, at most.
  void Add(std::vector<std::string> cells, Style style = Style::kPlain);
  // The header is bold where there is colour.
  std::string ToString(const Look& look = {}) const;
  // Columns that it takes where there is room.
  int Width() const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Style style;
  };
  std::vector<int> NaturalWidths() const;
  // Columns whose cells may be broken into lines.
  std::vector<bool> TextColumns() const;
  std::string Block(const std::vector<size_t>& columns,
                    const std::vector<int>& widths, const Look& look) const;

  std::vector<Row> rows_;  // The header first.
};

// `text` as lines of at most `width` cells, broken at blanks where there are
// any. At least one.
std::vector<std::string> Wrapped(absl::string_view text, int width);

// `fraction` in [0, 1] as a bar of `width` cells, with eighths of a cell.
std::string Bar(double fraction, int width);

// Control characters and invalid UTF-8 as \n, \t, \x1b, ...: what a server
// sends must not drive the terminal.
std::string Printable(absl::string_view text);

// `text` made printable; longer than `width` > 0 cells, its beginning and "…".
std::string Shortened(absl::string_view text, int width);

// Cells that `text` takes on a terminal; counts code points.
int DisplayWidth(absl::string_view text);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_TABLE_H_
