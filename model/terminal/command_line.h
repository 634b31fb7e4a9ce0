// The command line's manners that all binaries share: --version, --man,
// --completion, and a mistake told in one sentence that names what may have
// been meant.
//
// Thread-safety: main's thread only.
//
// Example:
//   CLI::App app("Sends a load.", "alignsae-load");
//   AddStandardFlags(app);
//   if (auto code = ParseCommandLine(app, argc, argv, kExitUsage)) return
//   *code;

#ifndef ALIGNSAE_MODEL_TERMINAL_COMMAND_LINE_H_
#define ALIGNSAE_MODEL_TERMINAL_COMMAND_LINE_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

namespace alignsae {

// Type names of options that a shell completes in a way of their own.
inline constexpr char kConceptType[] = "CONCEPT";  // A concept that is served.
inline constexpr char kFileType[] = "FILE";
inline constexpr char kDirectoryType[] = "DIR";

// `app` has its name. What it says behind its flags in --help (its footer) are
// its exit codes.
void AddStandardFlags(CLI::App& app);

// The text that --help, --version, --man or --completion asked for; nullopt:
// `error` is a mistake.
std::optional<std::string> TextAsked(const CLI::App& app,
                                     const CLI::ParseError& error);

// CLI11 puts some of its messages on several lines.
std::string OneLine(std::string text);

// What is wrong, on one line, without the program's name.
std::string MistakeOf(const CLI::App& app, const CLI::ParseError& error);

// Parses, which also runs the callbacks of what is chosen. nullopt: go on.
// Else the program ends with this code: what was asked for is printed, or the
// mistake is (then it is `usage_code`).
std::optional<int> ParseCommandLine(CLI::App& app, int argc,
                                    const char* const* argv, int usage_code);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TERMINAL_COMMAND_LINE_H_
