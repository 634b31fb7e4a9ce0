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

}  // namespace

absl::StatusOr<Gpt2Files> Gpt2Files::Open(const std::string& directory,
                                          const Gpt2Config& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(WeightFiles opened, WeightFiles::Open(directory));
  Gpt2Files files(std::move(opened), config);
  files.prefixed_ = NamesArePrefixed(files.files_);
  Gpt2Weights unread;
  ALIGNSAE_RETURN_IF_ERROR(CheckNames(
      files.files_, config, Parameters(config, unread), files.prefixed_));
  return files;
}

absl::Status Gpt2Files::Read(absl::string_view prefix,
                             Gpt2Weights& weights) const {
  for (const Parameter& parameter : Parameters(config_, weights)) {
    if (!absl::StartsWith(parameter.name, prefix)) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(
        *parameter.tensor,
        ReadFinite(files_, NameInFile(parameter.name, prefixed_),
                   parameter.shape));
  }
  return absl::OkStatus();
}

absl::StatusOr<Gpt2Block> Gpt2Files::Block(int layer) const {
  Gpt2Weights weights;
  ALIGNSAE_RETURN_IF_ERROR(
      Read(absl::StrCat(kTransformerPrefix, "h.", layer, "."), weights));
  return std::move(weights.blocks[layer]);
}

absl::StatusOr<Gpt2Weights> Gpt2Files::FinalNorm() const {
  Gpt2Weights weights;
  ALIGNSAE_RETURN_IF_ERROR(
      Read(absl::StrCat(kTransformerPrefix, "ln_f."), weights));
  return weights;
}

absl::StatusOr<at::Tensor> Gpt2Files::Positions() const {
  Gpt2Weights weights;
  ALIGNSAE_RETURN_IF_ERROR(
      Read(absl::StrCat(kTransformerPrefix, "wpe."), weights));
  return weights.wpe;
}

absl::StatusOr<Gpt2Weights> Gpt2Files::Ends() const {
  Gpt2Weights weights;
  for (const char* part : {"wte.", "wpe.", "ln_f."}) {
    ALIGNSAE_RETURN_IF_ERROR(
        Read(absl::StrCat(kTransformerPrefix, part), weights));
  }
  if (config_.tie_word_embeddings) {
    ALIGNSAE_RETURN_IF_ERROR(
        CheckTiedHead(files_, std::string(kHead), "wte.weight", weights.wte));
    weights.lm_head = weights.wte;
  } else {
    ALIGNSAE_RETURN_IF_ERROR(Read(kHead, weights));
  }
  weights.blocks.clear();
  return weights;
}

TableFile Gpt2Files::Table(const std::string& name) const {
  return TableFile(*files_.FileWith(name), name,
                   {config_.vocab_size, config_.d_model});
}

TableFile Gpt2Files::Tokens() const {
  return Table(
      NameInFile(absl::StrCat(kTransformerPrefix, "wte.weight"), prefixed_));
}

TableFile Gpt2Files::Head() const {
  if (config_.tie_word_embeddings) return Tokens();
  return Table(std::string(kHead));
}

absl::StatusOr<Gpt2Weights> LoadGpt2Weights(const std::string& directory,
                                            const Gpt2Config& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Gpt2Files files,
                            Gpt2Files::Open(directory, config));
  return WithTorchFence([&]() -> absl::StatusOr<Gpt2Weights> {
    ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Weights weights, files.Ends());
    for (int layer = 0; layer < config.n_layer; ++layer) {
      ALIGNSAE_ASSIGN_OR_RETURN(Gpt2Block block, files.Block(layer));
      weights.blocks.push_back(std::move(block));
    }
    return weights;
  });
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
