#include "model/bundle/families.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/gpt2/gpt2.h"
#include "model/io/weight_files.h"

namespace alignsae {

absl::StatusOr<TransformerFacts> ReadFacts(const std::string& directory) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::string json,
      ReadFile(absl::StrCat(directory, "/config.json"), kMaxTextFileBytes));
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Config config, ParseGpt2Config(json));
  return config.facts();
}

absl::StatusOr<LoadedTransformer> LoadTransformer(const std::string& directory,
                                                  at::Device device,
                                                  WeightType type) {
  // GPT-2's parser refuses every other model_type by name.
  ALIGNSAE_ASSIGN_OR_RETURN(Gpt2 model, Gpt2::Load(directory, device, type));
  LoadedTransformer loaded;
  loaded.end_tokens = model.config().end_tokens;
  loaded.warnings =
      UnreachableWarnings(loaded.end_tokens, "config.json: eos_token_id",
                          model.config().vocab_size);
  if (HasStaleIndex(directory)) {
    loaded.warnings.push_back(absl::StrCat(
        kWeightsIndex, ": not read, because ", kWholeWeights, " is there"));
  }
  loaded.model = std::make_unique<const Gpt2>(std::move(model));
  return loaded;
}

}  // namespace alignsae
