// The manual page of a program, from its command line: what --help says, as
// roff.
//
// Thread-safety: pure function.

#ifndef ALIGNSAE_MODEL_TERMINAL_MAN_PAGE_H_
#define ALIGNSAE_MODEL_TERMINAL_MAN_PAGE_H_

#include <CLI/CLI.hpp>
#include <string>

namespace alignsae {

// In section 1. `app` has its name; its footer is EXIT STATUS.
std::string ManPage(const CLI::App& app);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TERMINAL_MAN_PAGE_H_
