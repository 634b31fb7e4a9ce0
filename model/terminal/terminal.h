// What is at the other end of an output: how wide it is, whether it shows
// colours, and whether all that was written arrived.
//
// Thread-safety: value types; free functions for one thread.

#ifndef ALIGNSAE_MODEL_TERMINAL_TERMINAL_H_
#define ALIGNSAE_MODEL_TERMINAL_TERMINAL_H_

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// How text for people is laid out.
struct Look {
  int width = 0;        // Columns; 0: as many as it takes.
  bool colour = false;  // Escape codes may be used.
};

// COLUMNS, else the terminal's size; colour on terminals only, without NO_COLOR
// (any text) and where TERM is not "dumb". Pipes and files get plain text of
// any width.
Look LookOf(std::FILE* out);

enum class Style { kPlain, kBold, kDim, kGreen, kYellow };
// `text` with the codes of `style` around it, if `look` has colour.
std::string Styled(absl::string_view text, Style style, const Look& look);

// To standard output, where it may wait for CheckStdout. What fails is told
// there.
void WriteStdout(absl::string_view text);

// DATA_LOSS once a write to standard output failed: disk full, reader gone.
// Flushes it. The reason is known of WriteStdout's failures and of the flush's.
absl::Status CheckStdout();

// The exit code of a program that has written all it has to say: `code`, or
// kExitOutput, and a sentence, when not all of it arrived.
int FinishStdout(const char* program, int code);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TERMINAL_TERMINAL_H_
