// alignsae: the command-line client of the AlignSAE server.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "client/cli/commands.h"
#include "client/cli/table.h"
#include "model/terminal/command_line.h"
#include "model/terminal/terminal.h"

namespace alignsae {
namespace {

constexpr char kName[] = "alignsae";
constexpr char kExitCodes[] =
    "Exit codes: 0 done; 64 wrong flag or value; 65 a replay differs; 66 no "
    "such name or file; 69 "
    "no server answers; 70 a fault; 74 what was to be printed did not arrive; "
    "75 busy or too late, try again; 77 not permitted; 78 not with what is "
    "loaded. A batch "
    "(--file) has that of the first prompt that failed.";

int Run(int argc, char** argv) {
  CLI::App app("Reads and steers the concepts of a language model.", kName);
  app.footer(kExitCodes);
  AddStandardFlags(app);
  absl::Status result;
  AddCommands(app, result);
  if (const auto code = ParseCommandLine(app, argc, argv, kExitUsage)) {
    return FinishStdout(kName, *code);
  }
  if (!result.ok()) {
    std::fprintf(stderr, "alignsae: %s: %s\n",
                 absl::StatusCodeToString(result.code()).c_str(),
                 Printable(std::string(result.message())).c_str());
  }
  return FinishStdout(kName, ExitCodeOf(result));
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) { return alignsae::Run(argc, argv); }
