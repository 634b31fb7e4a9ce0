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
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/bundle/bundle.h"
#include "model/engine/engine.h"
#include "model/kernels/kernels.h"
#include "model/tensor/device.h"
#include "model/tensor/threads.h"

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

}  // namespace

absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup) {
  UseThreads(setup.threads);
  BundleOptions options;
  options.whole_sae = setup.whole_sae;
  ALIGNSAE_ASSIGN_OR_RETURN(options.device, ParseDevice(setup.device));
  ALIGNSAE_ASSIGN_OR_RETURN(options.weight_type,
                            ParseWeightType(setup.weight_type));
  LoadedEngine loaded;
  loaded.weight_type_fallback =
      WhyUnsupported(options.weight_type, setup.device);
  if (!loaded.weight_type_fallback.empty()) {
    options.weight_type = WeightType::kF32;
  }
  const bool is_bundle =
      FileExists(absl::StrCat(setup.model_directory, "/bundle.json"));
  if (is_bundle && !setup.sae_directories.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("sae: must not be given beside a bundle, got ",
                     setup.sae_directories.front(), "; ", setup.model_directory,
                     " holds a bundle.json"));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      std::shared_ptr<const Bundle> bundle,
      is_bundle
          ? LoadBundle(setup.model_directory, options)
          : LoadParts(setup.model_directory, setup.sae_directories, options));
  loaded.catalog = bundle->catalog;
  loaded.tokenizer = bundle->tokenizer;
  loaded.warnings = bundle->warnings;
  loaded.blas = BlasLibrary();
  loaded.kernels = CpuKernels().name;
  loaded.threads = at::get_num_threads();
  ALIGNSAE_ASSIGN_OR_RETURN(loaded.engine,
                            Engine::Create(std::move(bundle), setup.engine));
  malloc_trim(0);  // The float32 weights that were only read to be prepared.
  return loaded;
}

}  // namespace alignsae
