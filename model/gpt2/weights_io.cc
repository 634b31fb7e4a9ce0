// Reading and writing of Gpt2Weights (declared in weights.h).

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
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

namespace alignsae {
namespace {

constexpr absl::string_view kHead = "lm_head.weight";
// What GPT2DoubleHeadsModel has beside the language model; no answer needs it.
constexpr const char* kOtherHeads[] = {"multiple_choice_head.summary.weight",
                                       "multiple_choice_head.summary.bias"};

// `path`: the file that has the tensor, or that should name it.
absl::Status TensorError(
    const std::string& path, absl::string_view name, absl::string_view rule,
    absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  return absl::Status(
      code, absl::StrCat(path, ": tensor ", Quoted(name), ": ", rule));
}

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
  for (const SafetensorsFile& file : files.files()) {
    for (const auto& [name, entry] : file.header().tensors) {
      if (known.contains(name)) continue;
      return TensorError(file.path(), name,
                         "must not be in the file: a GPT-2 of this config.json "
                         "has no such tensor");
    }
  }
  return absl::OkStatus();
}

// "[row, column]" of the `flat`-th value.
std::string IndexText(int64_t flat, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    index[i] = flat % shape[i];
    flat /= shape[i];
  }
  return absl::StrCat("[", absl::StrJoin(index, ", "), "]");
}

absl::Status CheckFinite(const SafetensorsFile& file, absl::string_view name,
                         const at::Tensor& tensor) {
  const at::Tensor finite = at::isfinite(tensor).flatten();
  if (finite.all().item<bool>()) return absl::OkStatus();
  const int64_t first = finite.to(at::kByte).argmin().item<int64_t>();
  return TensorError(file.path(), name,
                     absl::StrCat("must be finite, got ",
                                  tensor.flatten()[first].item<float>(), " at ",
                                  IndexText(first, tensor.sizes())),
                     absl::StatusCode::kDataLoss);
}

// A tensor that is in one of the files.
absl::StatusOr<at::Tensor> ReadFinite(const WeightFiles& files,
                                      const std::string& name,
                                      const std::vector<int64_t>& shape) {
  const SafetensorsFile& file = *files.FileWith(name);
  ALIGNSAE_ASSIGN_OR_RETURN(at::Tensor tensor,
                            ReadFloatTensor(file, name, shape));
  ALIGNSAE_RETURN_IF_ERROR(CheckFinite(file, name, tensor));
  return tensor;
}

// A tied model may store its head a second time; another head would be ignored.
absl::Status CheckTiedHead(const WeightFiles& files, const at::Tensor& wte) {
  const std::string name(kHead);
  const SafetensorsFile* file = files.FileWith(name);
  if (file == nullptr) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor head,
                            ReadFinite(files, name, wte.sizes().vec()));
  if (at::equal(head, wte)) return absl::OkStatus();
  return TensorError(file->path(), name,
                     "must equal wte.weight when config.json's "
                     "tie_word_embeddings is true, got other values");
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
    ALIGNSAE_RETURN_IF_ERROR(CheckTiedHead(files, weights.wte));
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
