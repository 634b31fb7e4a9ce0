// alignsae-train: from synthetic data to a bundle that alignsae-server loads.
//
// Exit codes: 0 done (or stopped on request, with a checkpoint), 1 failed, 2
// wrong flags.

#include <exception>
#include <iostream>

#include "absl/status/status.h"
#include "model/train/cli/cli.h"

int main(int argc, char** argv) {
  CLI::App app("Makes AlignSAE bundles: data, language model, SAE, evaluation");
  app.require_subcommand(1);
  absl::Status status;
  alignsae::RegisterData(app, status);
  alignsae::RegisterLm(app, status);
  alignsae::RegisterSae(app, status);
  alignsae::RegisterEval(app, status);
  alignsae::RegisterAgree(app, status);
  alignsae::RegisterPipeline(app, status);
  alignsae::RegisterBundle(app, status);
  alignsae::RegisterStudy(app, status);
  alignsae::RegisterExportSae(app, status);
  alignsae::RegisterCalibrate(app, status);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "alignsae-train: internal error: " << error.what() << "\n";
    return 1;
  }
  if (absl::IsCancelled(status)) {
    std::cout << "alignsae-train: " << status.message() << "\n";
    return 0;
  }
  if (!status.ok()) {
    std::cerr << "alignsae-train: " << status.message() << "\n";
    return absl::IsInvalidArgument(status) ? 2 : 1;
  }
  return 0;
}
