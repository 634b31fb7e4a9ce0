// Reading and writing of Gpt2Weights (declared in weights.h).

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/file.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/gpt2/parameters.h"
#include "model/gpt2/weights.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/io/weight_files.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/weight_reader.h"

namespace alignsae {
namespace {

constexpr absl::string_view kHead = "lm_head.weight";
// What GPT2DoubleHeadsModel has beside the language model; no answer needs it.
constexpr const char* kOtherHeads[] = {"multiple_choice_head.summary.weight",
                                       "multiple_choice_head.summary.bias"};

// Parameters are called with "transformer." in what GPT2LMHeadModel saves, and
// without in the files that OpenAI published. The head never has the prefix.
bool NamesArePrefixed(const WeightFiles& files) {
  return files.FileWith(absl::StrCat(kTransformerPrefix, "wte.weight")) !=
         nullptr;
}

std::string NameInFile(absl::string_view name, bool prefixed) {
  return std::string(prefixed ? name
                              : absl::StripPrefix(name, kTransformerPrefix));
}

// The causal mask, which older files store beside the parameters.
std::set<std::string> MaskBuffers(const Gpt2Config& config, bool prefixed) {
  std::set<std::string> names;
  for (int layer = 0; layer < config.n_layer; ++layer) {
    for (const char* buffer : {".attn.bias", ".attn.masked_bias"}) {
      names.insert(NameInFile(
          absl::StrCat(kTransformerPrefix, "h.", layer, buffer), prefixed));
    }
  }
  return names;
}

absl::Status MissingTensor(const WeightFiles& files, const Parameter& parameter,
                           bool prefixed) {
  const std::string name = NameInFile(parameter.name, prefixed);
  const std::string other = NameInFile(parameter.name, !prefixed);
  if (name == kHead) {
    return TensorError(files.path(), name,
                       "must be in the file when config.json's "
                       "tie_word_embeddings is false, got nothing");
  }
  if (files.FileWith(other) != nullptr) {
    return TensorError(files.path(), name,
                       absl::StrCat("must be in the file, got ", Quoted(other),
                                    "; all names or none begin with \"",
                                    kTransformerPrefix, "\""));
  }
  return TensorError(files.path(), name, "must be in the file, got nothing");
}

// Every parameter is there, and nothing else but what may be ignored.
absl::Status CheckNames(const WeightFiles& files, const Gpt2Config& config,
                        const std::vector<Parameter>& parameters,
                        bool prefixed) {
  std::set<std::string> known = MaskBuffers(config, prefixed);
  known.insert(std::string(kHead));  // See CheckTiedHead.
  for (const char* name : kOtherHeads) known.insert(name);
  for (const Parameter& parameter : parameters) {
    std::string name = NameInFile(parameter.name, prefixed);
    if (files.FileWith(name) == nullptr) {
      return MissingTensor(files, parameter, prefixed);
    }
    known.insert(std::move(name));
  }
  return CheckNoOthers(files, known, "GPT-2");
}

absl::StatusOr<Gpt2Weights> ReadWeights(const WeightFiles& files,
                                        const Gpt2Config& config) {
  const bool prefixed = NamesArePrefixed(files);
  Gpt2Weights weights;
  const std::vector<Parameter> parameters = Parameters(config, weights);
  ALIGNSAE_RETURN_IF_ERROR(CheckNames(files, config, parameters, prefixed));
  for (const Parameter& parameter : parameters) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        *parameter.tensor,
        ReadFinite(files, NameInFile(parameter.name, prefixed),
                   parameter.shape));
  }
  if (config.tie_word_embeddings) {
    ALIGNSAE_RETURN_IF_ERROR(CheckTiedHead(
        files, std::string(kHead), "wte.weight", weights.wte));
    weights.lm_head = weights.wte;
  }
  return weights;
}

}  // namespace

absl::StatusOr<Gpt2Weights> LoadGpt2Weights(const std::string& directory,
                                            const Gpt2Config& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(const WeightFiles files,
                            WeightFiles::Open(directory));
  return WithTorchFence([&] { return ReadWeights(files, config); });
}

absl::Status SaveGpt2(const std::string& directory, const Gpt2Config& config,
                      Gpt2Weights& weights) {
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  for (const auto& [name, tensor] : weights.Named()) {
    tensors.emplace_back(name, *tensor);
  }
  // "format" is what Hugging Face's loader asks for.
  ALIGNSAE_RETURN_IF_ERROR(
      WriteTensors(absl::StrCat(directory, "/model.safetensors"), tensors,
                   {{"format", "pt"}}));
  return WriteFileAtomically(absl::StrCat(directory, "/config.json"),
                             Gpt2ConfigToJson(config));
}

}  // namespace alignsae
