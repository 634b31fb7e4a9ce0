// Tables and bars for a terminal, in UTF-8 and without colour codes, so that
// the output is the same in a pipe and in a log.
//
// Thread-safety: value types; pure functions.

#ifndef ALIGNSAE_CLIENT_CLI_TABLE_H_
#define ALIGNSAE_CLIENT_CLI_TABLE_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace alignsae {

// Columns are as wide as their widest cell; numbers (cells that parse as one)
// align right. Cells are made printable (see Printable).
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  void Add(std::vector<std::string> cells);  // One per column.
  std::string ToString() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

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
