// alignsae: the command-line client of the AlignSAE server.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "client/cli/commands.h"
#include "client/cli/table.h"

int main(int argc, char** argv) {
  CLI::App app{"Reads and steers the concepts of a language model."};
  app.name("alignsae");
  absl::Status result;
  alignsae::AddCommands(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? alignsae::kExitOk : alignsae::kExitUsage;
  }
  if (!result.ok()) {
    std::fprintf(stderr, "alignsae: %s: %s\n",
                 absl::StatusCodeToString(result.code()).c_str(),
                 alignsae::Printable(std::string(result.message())).c_str());
  }
  return alignsae::ExitCodeOf(result);
}
