#include "model/train/common/memory_bundle.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/tensor/torch_fence.h"

namespace alignsae {
namespace {

CheckpointInfo InfoOf(const Sae& sae, size_t index) {
  CheckpointInfo info;
  info.name = absl::StrCat("candidate_", index);
  info.hook = sae.config().hook;
  info.activation = std::string(SaeActivationName(sae.config().activation));
  info.scale = sae.config().scale;
  info.trained = sae.config().trained;
  info.n_features = sae.config().n_features;
  info.whole_sae_loaded = sae.whole();
  info.concepts = sae.config().concepts;
  return info;
}

ModelInfo ModelInfoOf(const Transformer& model, int32_t end_token) {
  ModelInfo info;
  info.n_layer = model.facts().n_layer;
  info.d_model = model.facts().d_model;
  info.context_length = model.facts().context_length;
  info.vocab_size = model.facts().vocab_size;
  if (end_token >= 0) info.eos_token_ids = {end_token};
  return info;
}

absl::StatusOr<Sae> OnDevice(const Sae& sae, at::Device device) {
  const SaeWeights& weights = sae.weights();
  if (!sae.whole() || weights.w_enc.device() == device) return sae;
  SaeWeights moved;
  const absl::Status status = WithTorchFence([&] {
    moved.w_enc = weights.w_enc.to(device);
    moved.b_enc = weights.b_enc.to(device);
    moved.w_dec = weights.w_dec.to(device);
    moved.b_dec = weights.b_dec.to(device);
    if (weights.threshold.defined()) {
      moved.threshold = weights.threshold.to(device);
    }
  });
  ALIGNSAE_RETURN_IF_ERROR(status);
  return Sae::FromWeights(sae.config(), moved);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Bundle>> MemoryBundle(
    std::shared_ptr<const Transformer> model,
    std::shared_ptr<const Tokenizer> tokenizer, int32_t end_token,
    std::vector<Sae> saes) {
  auto bundle = std::make_shared<Bundle>();
  auto catalog = std::make_shared<Catalog>();
  catalog->model = ModelInfoOf(*model, end_token);
  for (size_t i = 0; i < saes.size(); ++i) {
    ALIGNSAE_ASSIGN_OR_RETURN(saes[i], OnDevice(saes[i], model->device()));
    catalog->checkpoints.push_back(InfoOf(saes[i], i));
  }
  bundle->catalog = std::move(catalog);
  bundle->tokenizer = std::move(tokenizer);
  bundle->model = std::move(model);
  bundle->saes = std::move(saes);
  return bundle;
}

}  // namespace alignsae
