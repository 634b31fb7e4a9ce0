// alignsae-train bundle: makes one, or changes one that is there.

#include "model/train/pipeline/bundle.h"

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/doctor.h"
#include "model/bundle/manifest.h"
#include "model/bundle/upgrade.h"
#include "model/tensor/threads.h"
#include "model/train/cli/cli.h"
#include "model/train/eval/certificate.h"
#include "model/train/eval/outside.h"
#include "model/train/pipeline/doctor.h"
#include "model/train/pipeline/own_bundle.h"

namespace alignsae {
namespace {

absl::StatusOr<Manifest> ManifestOf(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadFile(absl::StrCat(directory, "/bundle.json")));
  return ParseManifest(text);
}

struct UpgradeCommand {
  std::string directory;

  absl::Status Run() const {
    ALIGNSAE_ASSIGN_OR_RETURN(const int before, UpgradeBundle(directory));
    ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ManifestOf(directory));
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

struct DoctorCommand {
  std::string directory;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<DoctorRecord> records,
                              AddDoctorFacts(directory));
    for (const DoctorRecord& record : records) {
      std::cout << "checkpoint " << record.checkpoint << " at "
                << record.hook.ToString() << ": ";
      if (record.prompts == 0) {
        std::cout << "no prompts to store\n";
        continue;
      }
      std::cout << record.prompts << " prompts; the nearest other hook point, "
                << record.nearest.ToString() << ", deviates by "
                << record.nearest_deviation << " of " << kDoctorLimit
                << " allowed\n";
    }
    return absl::OkStatus();
  }
};

struct CertifyCommand {
  std::string directory;
  CertifySources sources;
  int threads = 0;

  absl::Status Run() const {
    UseThreads(threads);
    ALIGNSAE_RETURN_IF_ERROR(CertifyBundle(directory, sources));
    ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ManifestOf(directory));
    for (const ManifestSae& sae : manifest.saes) {
      std::cout << "checkpoint " << sae.name << " at " << sae.hook.ToString()
                << "\n"
                << RenderCertificates(sae.concepts);
      const nlohmann::json::json_pointer place =
          nlohmann::json::json_pointer("/gate") / sae.name;
      if (manifest.evaluation.contains(place)) {
        std::cout << "gate\n" << RenderGate(manifest.evaluation.at(place));
      } else {
        std::cout << "no gate: readings will not say whether they are outside; "
                     "it needs prompts without a concept\n";
      }
    }
    return absl::OkStatus();
  }
};

struct MakeCommand {
  OwnBundle parts;
  std::string out;
  int threads = 0;

  absl::Status Run() {
    for (const auto& [flag, given] :
         {std::pair("--model", !parts.model_directory.empty()),
          std::pair("--sae", !parts.sae_directories.empty()),
          std::pair("--out", !out.empty())}) {
      if (given) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": must be given, got nothing"));
    }
    UseThreads(threads);
    parts.command = absl::StrCat(
        "alignsae-train bundle --model ", parts.model_directory, " --sae ",
        absl::StrJoin(parts.sae_directories, " --sae "));
    ALIGNSAE_RETURN_IF_ERROR(WriteOwnBundle(out, parts));
    std::cout << out << ": a bundle of " << parts.sae_directories.size()
              << " checkpoint(s); serve it with alignsae-server --model=" << out
              << "\n";
    return absl::OkStatus();
  }
};

void AddMakeFlags(CLI::App& app, MakeCommand& make) {
  app.add_option("--model", make.parts.model_directory,
                 "Hugging Face directory to serve");
  app.add_option("--sae", make.parts.sae_directories,
                 "Checkpoint directory made by `sae`; may be given again");
  app.add_option("--out", make.out, "Directory of the bundle");
  app.add_option("--prompts", make.parts.prompts,
                 "Labelled prompts: figures and stored prompts of the first "
                 "checkpoint");
  app.add_option("--name", make.parts.name, "Of the bundle; else --out's name");
  app.add_option("--version", make.parts.version, "Of the bundle")
      ->capture_default_str();
  app.add_option("--prompt-template", make.parts.prompt_template,
                 "What a question is put into, with {question}");
  app.add_option("--alpha", make.parts.alpha, "Recommended strength of a swap")
      ->capture_default_str()
      ->check(CLI::Range(-1000.0, 1000.0));
  AddSplitSeedFlag(app, make.parts.split_seed);
  app.add_option("--commit", make.parts.commit,
                 "Of the sources, as provenance");
  AddThreadsFlag(app, make.threads);
}

void AddCertify(CLI::App& bundle, absl::Status& status) {
  auto certify = std::make_shared<CertifyCommand>();
  CLI::App* sub = bundle.add_subcommand(
      "certify",
      "Measure each concept's write certificate anew, on the test wordings of "
      "the bundle's own people or of labelled prompts");
  sub->add_option("directory", certify->directory, "Bundle directory")
      ->required();
  sub->add_option(
      "--prompts", certify->sources.prompts,
      "Labelled prompts of the first checkpoint's concepts (JSONL)");
  sub->add_option(
      "--negatives", certify->sources.negatives,
      "Prompts that ask none of the concepts (JSONL): the gate that "
      "tells what is outside; kept in the bundle. Default: those "
      "that it has");
  AddSplitSeedFlag(*sub, certify->sources.split_seed);
  AddThreadsFlag(*sub, certify->threads);
  sub->callback([certify, &status] { status = certify->Run(); });
}

}  // namespace

void RegisterBundle(CLI::App& app, absl::Status& status) {
  CLI::App* bundle =
      app.add_subcommand("bundle",
                         "Make a bundle of a model and checkpoints, or change "
                         "one that is there");
  bundle->require_subcommand(0, 1);
  auto make = std::make_shared<MakeCommand>();
  AddMakeFlags(*bundle, *make);
  bundle->callback([bundle, make, &status] {
    if (bundle->get_subcommands().empty()) status = make->Run();
  });

  auto upgrade = std::make_shared<UpgradeCommand>();
  CLI::App* sub = bundle->add_subcommand(
      "upgrade",
      "Bring bundle.json to the format that this version loads, after a check "
      "of the hashes that it has");
  sub->add_option("directory", upgrade->directory, "Bundle directory")
      ->required();
  sub->callback([upgrade, &status] { status = upgrade->Run(); });

  AddCertify(*bundle, status);

  auto doctor = std::make_shared<DoctorCommand>();
  sub = bundle->add_subcommand(
      "doctor",
      "Record what the checkpoints read on stored prompts, by which a loader "
      "tells a wrong site, scale, activation or tokenizer");
  sub->add_option("directory", doctor->directory, "Bundle directory")
      ->required();
  AddThreadsFlag(*sub, doctor->threads);
  sub->callback([doctor, &status] { status = doctor->Run(); });

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
