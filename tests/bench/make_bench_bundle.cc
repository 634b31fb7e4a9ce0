// make_bench_bundle: a bundle of GPT-2 small's shape with random weights, for
// load runs. The tokenizer, the prompt template and the concepts' names and
// questions are those of the demo bundle; what it answers is noise.
//
//   build/release/bin/make_bench_bundle model/demo /tmp/bench-bundle

#include <cstdio>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle_writer.h"
#include "model/bundle/manifest.h"
#include "model/gpt2/weights.h"
#include "model/sae/sae.h"
#include "tests/support/tiny_bundle.h"

namespace alignsae {
namespace {

constexpr HookPoint kHook = {HookKind::kResidPost, 6};
constexpr int kFeatures = 1024;

absl::Status Fill(const std::string& demo, const Manifest& of_demo,
                  const std::string& directory) {
  const std::string gpt2 = directory + "/gpt2";
  std::filesystem::create_directories(gpt2);
  for (const char* name : {"vocab.json", "merges.txt"}) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        const std::string bytes,
        ReadFile(absl::StrCat(demo, "/", of_demo.model_path, "/", name)));
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(gpt2, "/", name), bytes));
  }
  const Gpt2Config config;  // GPT-2 small.
  Gpt2Weights weights = InitGpt2Weights(config, 1);
  ALIGNSAE_RETURN_IF_ERROR(SaveGpt2(gpt2, config, weights));

  SaeConfig sae;
  sae.d_model = config.d_model;
  sae.n_features = kFeatures;
  sae.hook = kHook;
  sae.scale = 1;
  for (const Concept& entry : of_demo.saes.front().concepts) {
    Concept& made = sae.concepts.emplace_back();
    made.name = entry.name;
    made.slot = static_cast<int>(sae.concepts.size()) - 1;
    made.example = entry.example;
    made.active_mean = 1;
    made.threshold = 0.1;
  }
  SaeWeights random;
  random.w_enc = UniformTensor({sae.d_model, kFeatures}, 0.1, 2);
  random.b_enc = UniformTensor({kFeatures}, 0.1, 3);
  random.w_dec = UniformTensor({kFeatures, sae.d_model}, 0.1, 4);
  random.b_dec = UniformTensor({sae.d_model}, 0.1, 5);
  std::filesystem::create_directories(directory + "/sae");
  ALIGNSAE_RETURN_IF_ERROR(SaveSae(directory + "/sae/main", sae, random));

  Manifest manifest;
  manifest.name = "bench";
  manifest.version = "1";
  manifest.model_path = "gpt2";
  manifest.prompt_template = of_demo.prompt_template;
  manifest.saes = {ManifestSaeOf("main", sae)};
  manifest.provenance_command = "make_bench_bundle";
  manifest.provenance_seed = 1;
  manifest.provenance_commits["bundle"] = "unknown";
  return WriteManifestWithHashes(directory, manifest);
}

absl::Status Run(const std::string& demo, const std::string& out) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                            ReadFile(demo + "/bundle.json"));
  ALIGNSAE_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(text));
  return WriteBundleAtomically(out, [&](const std::string& directory) {
    return Fill(demo, manifest, directory);
  });
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: make_bench_bundle DEMO_BUNDLE OUT\n", stderr);
    return 64;
  }
  const absl::Status status = alignsae::Run(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::fprintf(stderr, "make_bench_bundle: %s\n", status.ToString().c_str());
  return 70;
}
