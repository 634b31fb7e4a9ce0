// alignsae-train bundle: what is done to a bundle that is there.

#include "model/train/pipeline/bundle.h"

#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/manifest.h"
#include "model/bundle/upgrade.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"

namespace alignsae {
namespace {

struct UpgradeCommand {
  std::string directory;

  absl::Status Run() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const int before, UpgradeBundle(directory));
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string text,
        ReadFile(absl::StrCat(directory, "/bundle.json")));
    ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(text));
    int concepts = 0, certificates = 0;
    for (const ManifestSae& sae : manifest.saes) {
      for (const Concept& entry : sae.concepts) {
        ++concepts;
        certificates += entry.certificate.has_value() ? 1 : 0;
      }
    }
    std::cout << directory << ": format " << before
              << (before == kBundleFormatVersion
                      ? ", nothing to do"
                      : absl::StrCat(" -> ", kBundleFormatVersion))
              << "; " << manifest.files.size() << " files hashed, "
              << manifest.prompts.size() << " stored prompts, " << certificates
              << " of " << concepts << " concepts with a write certificate\n";
    return absl::OkStatus();
  }
};

struct ExamplesCommand {
  TrainPreset preset;
  std::string directory;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    return RefreshExamples(directory, preset.eval);
  }
};

}  // namespace

void RegisterBundle(CLI::App& app, absl::Status& status) {
  CLI::App* bundle =
      app.add_subcommand("bundle", "Change a bundle that is there");
  bundle->require_subcommand(1);

  auto upgrade = std::make_shared<UpgradeCommand>();
  CLI::App* sub = bundle->add_subcommand(
      "upgrade",
      "Bring bundle.json to the format that this version loads, after a check "
      "of the hashes that it has");
  sub->add_option("directory", upgrade->directory, "Bundle directory")
      ->required();
  sub->callback([upgrade, &status] { status = upgrade->Run(); });

  auto examples = std::make_shared<ExamplesCommand>();
  sub = bundle->add_subcommand(
      "examples",
      "Choose each concept's example anew: a question about a person of the "
      "bundle's data that its model answers and swaps right");
  AddPresetFlag(*sub, examples->preset);
  sub->add_option("directory", examples->directory, "Bundle directory")
      ->required();
  AddThreadsFlag(*sub, examples->threads);
  sub->callback([examples, &status] { status = examples->Run(); });
}

}  // namespace alignsae
