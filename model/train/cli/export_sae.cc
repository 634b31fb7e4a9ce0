#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/sae/saelens_export.h"
#include "model/train/cli/cli.h"

namespace alignsae {
namespace {

struct ExportSaeCommand {
  std::string sae;
  std::string out;

  absl::Status Run() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const Sae loaded,
                              Sae::Load(sae, Sae::LoadMode::kWhole));
    return ExportToSaeLens(loaded, out);
  }
};

}  // namespace

void RegisterExportSae(CLI::App& app, absl::Status& status) {
  auto command = std::make_shared<ExportSaeCommand>();
  CLI::App* sub = app.add_subcommand(
      "export-sae", "Write a checkpoint for SAELens, with equal features");
  sub->add_option("--sae", command->sae, "Directory of the checkpoint")
      ->required();
  sub->add_option("--out", command->out, "Directory to write")->required();
  sub->callback([command, &status] { status = command->Run(); });
}

}  // namespace alignsae
