// LoadEngine: from directories to an engine that answers.

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <malloc.h>

#include <climits>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/bundle/checkpoint_change.h"
#include "model/engine/engine.h"
#include "model/kernels/kernels.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/kernel_tuning.h"

namespace alignsae {
namespace {

// The file that answers for sgemm_: which BLAS runs decides the speed by 2.5x.
std::string BlasLibrary() {
  void* symbol = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info = {};
  if (symbol == nullptr || dladdr(symbol, &info) == 0 ||
      info.dli_fname == nullptr) {
    return "unknown";
  }
  char resolved[PATH_MAX];
  return realpath(info.dli_fname, resolved) != nullptr ? resolved
                                                       : info.dli_fname;
}

absl::StatusOr<std::shared_ptr<const Bundle>> ReadBundle(
    const EngineSetup& setup, const BundleOptions& options) {
  if (setup.base != nullptr) return setup.base;
  const bool is_bundle = IsBundle(setup.model_directory);
  if (is_bundle && !setup.sae_directories.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sae: must not be given beside a bundle, got ",
                     setup.sae_directories.front(), "; ", setup.model_directory,
                     " holds a bundle.json"));
  }
  return is_bundle
             ? LoadBundle(setup.model_directory, options)
             : LoadParts(setup.model_directory, setup.sae_directories, options);
}

// `bundle` with the checkpoints that the setup asks for.
absl::StatusOr<std::shared_ptr<const Bundle>> ChangeCheckpoints(
    std::shared_ptr<const Bundle> bundle, const EngineSetup& setup,
    const BundleOptions& options) {
  if (!setup.without.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(bundle,
                              WithoutCheckpoint(*bundle, setup.without));
  }
  for (const CheckpointSource& source : setup.put) {
    if (source.only_if_absent &&
        bundle->catalog->FindCheckpoint(source.name).has_value()) {
      continue;
    }
    ALIGNSAE_ASSIGN_OR_RETURN(bundle, WithCheckpoint(*bundle, source, options));
  }
  if (setup.default_checkpoint.empty()) return bundle;
  return WithDefault(*bundle, setup.default_checkpoint);
}

absl::StatusOr<PreparedModel> Prepare(const EngineSetup& setup) {
  PreparedModel prepared;
  BundleOptions options;
  options.whole_sae = setup.whole_sae;
  ALIGNSAE_ASSIGN_OR_RETURN(options.device, ParseDevice(setup.device));
  ALIGNSAE_ASSIGN_OR_RETURN(options.weight_type,
                            ParseWeightType(setup.weight_type));
  prepared.weight_type_fallback =
      WhyUnsupported(options.weight_type, setup.device);
  if (!prepared.weight_type_fallback.empty()) {
    options.weight_type = WeightType::kF32;
    options.weight_type_note = absl::StrCat(
        setup.weight_type, " was asked: ", prepared.weight_type_fallback);
  }
  options.check_weight_type = setup.check_weight_type;
  options.cache_directory = setup.cache_directory;
  options.keep_prepared = setup.keep_prepared;
  ALIGNSAE_ASSIGN_OR_RETURN(prepared.bundle, ReadBundle(setup, options));
  const ModelInfo& model = prepared.bundle->catalog->model;
  if (model.weight_type != setup.weight_type) {
    prepared.weight_type_fallback = model.weight_type_why;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      prepared.bundle,
      ChangeCheckpoints(std::move(prepared.bundle), setup, options));
  return prepared;
}

}  // namespace

namespace {

// `bundle`, whose catalog tells which kernels its model runs on.
std::shared_ptr<const Bundle> WithKernels(
    const std::shared_ptr<const Bundle>& bundle) {
  auto catalog = std::make_shared<Catalog>(*bundle->catalog);
  catalog->model.kernels = KernelSentences(*bundle->model);
  auto told = std::make_shared<Bundle>(*bundle);
  told->catalog = std::move(catalog);
  return told;
}

void Tune(const EngineSetup& setup, LoadedEngine& loaded) {
  const TuningOutcome outcome =
      TuneKernels(*loaded.bundle->model, setup.cache_directory);
  loaded.kernels_measured = outcome.measured;
  loaded.kernels_unsteady = outcome.unsteady;
  loaded.kernels_cached = outcome.cached;
  loaded.tuning_seconds = outcome.seconds;
  loaded.warnings.insert(loaded.warnings.end(), outcome.warnings.begin(),
                         outcome.warnings.end());
}

}  // namespace

absl::StatusOr<std::string> NameOfCheckpoint(const CheckpointSource& source) {
  return NameToServe(source);
}

absl::StatusOr<PreparedModel> PrepareAlone(const EngineSetup& setup) {
  return WithTorchFence([&setup] {
    ComputeAlone();
    return Prepare(setup);
  });
}

absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup) {
  UseThreads(setup.threads);
  ALIGNSAE_ASSIGN_OR_RETURN(PreparedModel prepared, Prepare(setup));
  return LoadEngine(setup, std::move(prepared));
}

absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup,
                                        PreparedModel prepared) {
  UseThreads(setup.threads);
  LoadedEngine loaded;
  loaded.weight_type_fallback = std::move(prepared.weight_type_fallback);
  loaded.bundle = std::move(prepared.bundle);
  loaded.warnings = loaded.bundle->warnings;
  ALIGNSAE_RETURN_IF_ERROR(WithTorchFence([&] {
    if (setup.tune_kernels) Tune(setup, loaded);
    loaded.bundle = WithKernels(loaded.bundle);
    return absl::OkStatus();
  }));
  loaded.catalog = loaded.bundle->catalog;
  loaded.tokenizer = loaded.bundle->tokenizer;
  loaded.blas = BlasLibrary();
  loaded.kernels = CpuKernels().name;
  loaded.threads = at::get_num_threads();
  ALIGNSAE_ASSIGN_OR_RETURN(loaded.engine,
                            Engine::Create(loaded.bundle, setup.engine));
  malloc_trim(0);  // The float32 weights that were only read to be prepared.
  return loaded;
}

}  // namespace alignsae
