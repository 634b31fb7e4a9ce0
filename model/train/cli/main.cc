// alignsae-train: from synthetic data to a bundle that alignsae-server loads.

#include <cstdio>
#include <exception>
#include <iostream>

#include "absl/status/status.h"
#include "model/terminal/command_line.h"
#include "model/terminal/exit_code.h"
#include "model/terminal/terminal.h"
#include "model/train/cli/cli.h"

namespace alignsae {
namespace {

constexpr char kName[] = "alignsae-train";
constexpr int kExitFailed = 1;
constexpr int kExitWrongFlags = 2;
constexpr char kExitCodes[] =
    "Exit codes: 0 done, or stopped on request with a checkpoint; 1 failed; 2 "
    "wrong flag or value; 74 what was to be printed did not arrive.";

int Run(int argc, char** argv) {
  CLI::App app("Makes AlignSAE bundles: data, language model, SAE, evaluation",
               kName);
  app.footer(kExitCodes);
  AddStandardFlags(app);
  app.require_subcommand(1);
  absl::Status status;
  for (const auto add :
       {RegisterData, RegisterLm, RegisterSae, RegisterEval, RegisterAgree,
        RegisterPipeline, RegisterBundle, RegisterBaseline, RegisterStudy,
        RegisterExportSae, RegisterCalibrate}) {
    add(app, status);
  }
  try {
    if (const auto code = ParseCommandLine(app, argc, argv, kExitWrongFlags)) {
      return *code;
    }
  } catch (const std::exception& error) {
    std::cerr << "alignsae-train: internal error: " << error.what() << "\n";
    return kExitFailed;
  }
  if (absl::IsCancelled(status)) {
    std::cout << "alignsae-train: " << status.message() << "\n";
    return kExitOk;
  }
  if (!status.ok()) {
    std::cerr << "alignsae-train: " << status.message() << "\n";
    return absl::IsInvalidArgument(status) ? kExitWrongFlags : kExitFailed;
  }
  return kExitOk;
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  return alignsae::FinishStdout(alignsae::kName, alignsae::Run(argc, argv));
}
