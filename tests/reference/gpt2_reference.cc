#include "tests/reference/gpt2_reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {

ReferenceGpt2::ReferenceGpt2(const Gpt2Config& config,
                             std::map<std::string, Vector> parameters)
    : config_(config), parameters_(std::move(parameters)) {}

const Vector& ReferenceGpt2::Parameter(const std::string& name) const {
  return parameters_.at(name);
}

Vector ReferenceGpt2::Linear(const Vector& x, const std::string& name) const {
  const Vector& weight = Parameter(name + ".weight");
  Vector y = Parameter(name + ".bias");
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < y.size(); ++j)
      y[j] += x[i] * weight[i * y.size() + j];
  }
  return y;
}

Vector ReferenceGpt2::LayerNorm(const Vector& x,
                                const std::string& name) const {
  const Vector& weight = Parameter(name + ".weight");
  const Vector& bias = Parameter(name + ".bias");
  double mean = 0, variance = 0;
  for (double value : x) mean += value / x.size();
  for (double value : x) variance += (value - mean) * (value - mean) / x.size();
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    y[i] = (x[i] - mean) / std::sqrt(variance + config_.layer_norm_epsilon) *
               weight[i] +
           bias[i];
  }
  return y;
}

double ReferenceGpt2::Activate(double x) const {
  switch (config_.activation) {
    case Activation::kGeluTanh:
      return 0.5 * x *
             (1 + std::tanh(std::sqrt(2 / std::numbers::pi) *
                            (x + 0.044715 * x * x * x)));
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kQuickGelu:
      return x / (1 + std::exp(-1.702 * x));
    case Activation::kTanh:
      return std::tanh(x);
  }
  return x;
}

std::vector<Vector> ReferenceGpt2::Attend(
    int layer, const std::vector<Vector>& queries,
    const std::vector<Vector>& keys, const std::vector<Vector>& values) const {
  const int head_dim = config_.d_model / config_.n_head;
  double divisor = 1;
  if (config_.scale_attn_weights) divisor *= std::sqrt(head_dim);
  if (config_.scale_attn_by_inverse_layer_idx) divisor *= layer + 1;
  std::vector<Vector> contexts(queries.size(), Vector(config_.d_model, 0.0));
  for (size_t t = 0; t < queries.size(); ++t) {
    for (int head = 0; head < config_.n_head; ++head) {
      const int first = head * head_dim;
      Vector weights(t + 1, 0.0);  // Of positions 0 .. t.
      for (size_t s = 0; s <= t; ++s) {
        for (int k = first; k < first + head_dim; ++k) {
          weights[s] += queries[t][k] * keys[s][k] / divisor;
        }
      }
      const double largest = *std::max_element(weights.begin(), weights.end());
      double sum = 0;
      for (double& weight : weights) sum += weight = std::exp(weight - largest);
      for (size_t s = 0; s <= t; ++s) {
        for (int k = first; k < first + head_dim; ++k) {
          contexts[t][k] += weights[s] / sum * values[s][k];
        }
      }
    }
  }
  return contexts;
}

void ReferenceGpt2::Block(int layer, const Hook& hook,
                          std::vector<Vector>& residuals) const {
  const std::string block = absl::StrCat("transformer.h.", layer);
  const int d = config_.d_model;
  std::vector<Vector> queries, keys, values;
  for (const Vector& residual : residuals) {
    const Vector qkv =
        Linear(LayerNorm(residual, block + ".ln_1"), block + ".attn.c_attn");
    queries.emplace_back(qkv.begin(), qkv.begin() + d);
    keys.emplace_back(qkv.begin() + d, qkv.begin() + 2 * d);
    values.emplace_back(qkv.begin() + 2 * d, qkv.end());
  }
  const std::vector<Vector> contexts = Attend(layer, queries, keys, values);
  for (size_t t = 0; t < residuals.size(); ++t) {
    const int position = static_cast<int>(t);
    Vector attended = Linear(contexts[t], block + ".attn.c_proj");
    if (hook) hook({HookKind::kAttnOut, layer}, position, attended);
    for (int i = 0; i < d; ++i) residuals[t][i] += attended[i];
    if (hook) hook({HookKind::kResidMid, layer}, position, residuals[t]);
    Vector inner =
        Linear(LayerNorm(residuals[t], block + ".ln_2"), block + ".mlp.c_fc");
    for (double& value : inner) value = Activate(value);
    Vector fed = Linear(inner, block + ".mlp.c_proj");
    if (hook) hook({HookKind::kMlpOut, layer}, position, fed);
    for (int i = 0; i < d; ++i) residuals[t][i] += fed[i];
  }
}

Vector ReferenceGpt2::FinalNorm(const Vector& residual) const {
  return LayerNorm(residual, "transformer.ln_f");
}

ReferenceGpt2::Result ReferenceGpt2::Run(const std::vector<int32_t>& tokens,
                                         const Hook& hook) const {
  const int d = config_.d_model;
  const Vector& wte = Parameter("transformer.wte.weight");
  const Vector& wpe = Parameter("transformer.wpe.weight");
  std::vector<Vector> residuals(tokens.size(), Vector(d));
  for (size_t t = 0; t < tokens.size(); ++t) {
    for (int i = 0; i < d; ++i) {
      residuals[t][i] = wte[tokens[t] * d + i] + wpe[t * d + i];
    }
  }
  Result result;
  for (int site = 0; site <= config_.n_layer; ++site) {
    for (size_t t = 0; hook != nullptr && t < tokens.size(); ++t) {
      hook({HookKind::kResidPre, site}, static_cast<int>(t), residuals[t]);
    }
    result.residuals.push_back(residuals);
    if (site < config_.n_layer) Block(site, hook, residuals);
  }
  const Vector& head = config_.tie_word_embeddings
                           ? wte
                           : Parameter("lm_head.weight");  // [V, D]
  for (const Vector& residual : residuals) {
    const Vector normed = FinalNorm(residual);
    Vector logits(config_.vocab_size, 0.0);
    for (int v = 0; v < config_.vocab_size; ++v) {
      for (int i = 0; i < d; ++i) logits[v] += normed[i] * head[v * d + i];
    }
    result.logits.push_back(std::move(logits));
  }
  return result;
}

std::vector<int32_t> ReferenceGpt2::Greedy(std::vector<int32_t> tokens,
                                           int count, const Hook& hook) const {
  const size_t prompt = tokens.size();
  for (int i = 0; i < count; ++i) {
    const Vector last = Run(tokens, hook).logits.back();
    tokens.push_back(static_cast<int32_t>(
        std::max_element(last.begin(), last.end()) - last.begin()));
  }
  return {tokens.begin() + prompt, tokens.end()};
}

}  // namespace alignsae
