#include "model/gpt_neox/weights.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/transformer/weight_reader.h"

namespace alignsae {
namespace {

constexpr const char* kHeads[] = {"embed_out.weight", "lm_head.weight"};
constexpr char kEmbedding[] = "gpt_neox.embed_in.weight";
constexpr char kFinalNorm[] = "gpt_neox.final_layer_norm";
constexpr const char* kPartsOfBlock[] = {
    "input_layernorm", "post_attention_layernorm", "attention.query_key_value",
    "attention.dense", "mlp.dense_h_to_4h",        "mlp.dense_4h_to_h"};
// The causal mask and what rotary angles are made of: older files store them.
constexpr const char* kBuffersOfBlock[] = {
    "attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"};

std::string InBlock(int layer, absl::string_view part) {
  return absl::StrCat("gpt_neox.layers.", layer, ".", part);
}

std::vector<std::string> ParameterNames(const GptNeoXConfig& config) {
  std::vector<std::string> names = {kEmbedding};
  const auto add = [&](const std::string& part) {
    names.push_back(absl::StrCat(part, ".weight"));
    names.push_back(absl::StrCat(part, ".bias"));
  };
  for (int layer = 0; layer < config.n_layer; ++layer) {
    for (const char* part : kPartsOfBlock) add(InBlock(layer, part));
  }
  add(kFinalNorm);
  return names;
}

// Rows of the files' [H, (q, k, v), K] -> [(q, k, v), H, K].
at::Tensor Sorted(const at::Tensor& rows, const GptNeoXConfig& config) {
  std::vector<int64_t> split = {config.n_head, 3, config.head_dim()};
  const int64_t width = rows.dim() > 1 ? rows.size(1) : 1;
  split.push_back(width);
  return rows.reshape(split).permute({1, 0, 2, 3}).reshape(rows.sizes());
}

}  // namespace

absl::StatusOr<GptNeoXWeights> GptNeoXWeights::Open(
    const std::string& directory, const GptNeoXConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(WeightFiles files, WeightFiles::Open(directory));
  GptNeoXWeights weights(std::move(files), config);
  ALIGNSAE_RETURN_IF_ERROR(weights.CheckNames());
  return weights;
}

absl::Status GptNeoXWeights::CheckNames() {
  for (const char* name : kHeads) {
    if (files_.FileWith(name) == nullptr) continue;
    if (!head_.empty()) {
      return TensorError(files_.path(), name,
                         absl::StrCat("must not be there beside ",
                                      Quoted(head_), ", the same head"));
    }
    head_ = name;
  }
  if (head_.empty() && !config_.tie_word_embeddings) {
    return TensorError(files_.path(), kHeads[0],
                       "must be in the file when config.json's "
                       "tie_word_embeddings is false, got nothing");
  }
  std::set<std::string> known = {head_};
  for (const std::string& name : ParameterNames(config_)) {
    if (files_.FileWith(name) == nullptr) {
      return TensorError(files_.path(), name,
                         "must be in the file, got nothing");
    }
    known.insert(name);
  }
  for (int layer = 0; layer < config_.n_layer; ++layer) {
    for (const char* part : kBuffersOfBlock) known.insert(InBlock(layer, part));
  }
  return CheckNoOthers(files_, known, "GPT-NeoX");
}

absl::Status GptNeoXWeights::ReadNorm(const std::string& norm,
                                      NormedMatrix* out) const {
  ALIGNSAE_ASSIGN_OR_RETURN(
      out->gain, ReadFinite(files_, norm + ".weight", {config_.d_model}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      out->shift, ReadFinite(files_, norm + ".bias", {config_.d_model}));
  return absl::OkStatus();
}

absl::Status GptNeoXWeights::ReadLinear(const std::string& name, int64_t in,
                                        int64_t out, at::Tensor* weight,
                                        at::Tensor* bias) const {
  ALIGNSAE_ASSIGN_OR_RETURN(const at::Tensor rows,
                            ReadFinite(files_, name + ".weight", {out, in}));
  ALIGNSAE_ASSIGN_OR_RETURN(*bias, ReadFinite(files_, name + ".bias", {out}));
  *weight = rows.t();
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> GptNeoXWeights::Embedding() const {
  return ReadFinite(files_, kEmbedding, {config_.vocab_size, config_.d_model});
}

absl::StatusOr<GptNeoXBlock> GptNeoXWeights::Block(int layer) const {
  const int64_t d = config_.d_model;
  const auto name = [layer](const char* part) { return InBlock(layer, part); };
  GptNeoXBlock block;
  ALIGNSAE_RETURN_IF_ERROR(ReadNorm(name("input_layernorm"), &block.attention));
  ALIGNSAE_RETURN_IF_ERROR(ReadLinear(name("attention.query_key_value"), d,
                                      3 * d, &block.attention.weight,
                                      &block.attention.bias));
  block.attention.weight = Sorted(block.attention.weight.t(), config_).t();
  block.attention.bias = Sorted(block.attention.bias, config_);
  ALIGNSAE_RETURN_IF_ERROR(ReadLinear(name("attention.dense"), d, d,
                                      &block.dense_weight, &block.dense_bias));
  ALIGNSAE_RETURN_IF_ERROR(
      ReadNorm(name("post_attention_layernorm"), &block.inner));
  ALIGNSAE_RETURN_IF_ERROR(ReadLinear(name("mlp.dense_h_to_4h"), d,
                                      config_.d_inner, &block.inner.weight,
                                      &block.inner.bias));
  ALIGNSAE_RETURN_IF_ERROR(ReadLinear(name("mlp.dense_4h_to_h"),
                                      config_.d_inner, d, &block.out_weight,
                                      &block.out_bias));
  return block;
}

absl::StatusOr<NormedMatrix> GptNeoXWeights::FinalNorm() const {
  NormedMatrix norm;
  ALIGNSAE_RETURN_IF_ERROR(ReadNorm(kFinalNorm, &norm));
  return norm;
}

TableFile GptNeoXWeights::Table(const std::string& name) const {
  return TableFile(*files_.FileWith(name), name,
                   {config_.vocab_size, config_.d_model});
}

TableFile GptNeoXWeights::EmbeddingFile() const { return Table(kEmbedding); }

TableFile GptNeoXWeights::HeadFile() const {
  return Table(config_.tie_word_embeddings ? kEmbedding : head_);
}

absl::StatusOr<NormedMatrix> GptNeoXWeights::Head(
    const at::Tensor& embedding) const {
  ALIGNSAE_ASSIGN_OR_RETURN(NormedMatrix head, FinalNorm());
  if (config_.tie_word_embeddings) {
    if (!head_.empty()) {
      ALIGNSAE_RETURN_IF_ERROR(
          CheckTiedHead(files_, head_, kEmbedding, embedding));
    }
    head.weight = embedding.t();
    return head;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const at::Tensor rows,
      ReadFinite(files_, head_, {config_.vocab_size, config_.d_model}));
  head.weight = rows.t();
  return head;
}

}  // namespace alignsae
