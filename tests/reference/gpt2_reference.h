// GPT-2 once more: scalar loops in double precision, one position at a time,
// without a cache, a batch or a tensor library. What model/gpt2 is compared
// with, and the shortest description of what it computes.
//
// Letters in shapes: T tokens, D d_model, I d_inner, H heads, K head dimension,
// V vocabulary, L layers.
//
// Thread-safety: const after construction.
//
// Example:
//   const ReferenceGpt2 model(config, ParametersOf(weights));
//   const HookPoint here = {HookKind::kResidPre, 2};
//   const auto steered = model.Run(tokens, [&](const HookPoint& hook,
//                                              int position,
//                                              std::vector<double>& h) {
//     if (hook == here && position == 5) h[0] += 3;
//   });

#ifndef ALIGNSAE_TESTS_REFERENCE_GPT2_REFERENCE_H_
#define ALIGNSAE_TESTS_REFERENCE_GPT2_REFERENCE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/gpt2/config.h"
#include "model/steering/hook_point.h"

namespace alignsae {

using Vector = std::vector<double>;

class ReferenceGpt2 {
 public:
  // Sees and may edit what one position has [D] at `hook`. Called for every
  // hook point in the order of a forward pass, and there for every position in
  // rising order. Between blocks it is resid_pre[site], n_layer being the last
  // site.
  using Hook = std::function<void(const HookPoint& hook, int position,
                                  Vector& residual)>;

  struct Result {
    // [L + 1][T][D] after the hook ran at each site.
    std::vector<std::vector<Vector>> residuals;
    std::vector<Vector> logits;  // [T][V]
  };

  // Parameters under Hugging Face's names with "transformer."; row-major. A
  // tied model needs no lm_head.weight.
  ReferenceGpt2(const Gpt2Config& config,
                std::map<std::string, Vector> parameters);

  Result Run(const std::vector<int32_t>& tokens,
             const Hook& hook = nullptr) const;

  // `count` tokens, each the most probable one.
  std::vector<int32_t> Greedy(std::vector<int32_t> tokens, int count,
                              const Hook& hook = nullptr) const;

  // ln_f of one residual [D].
  Vector FinalNorm(const Vector& residual) const;

 private:
  const Vector& Parameter(const std::string& name) const;
  // x [in] W [in, out] + b [out].
  Vector Linear(const Vector& x, const std::string& name) const;
  Vector LayerNorm(const Vector& x, const std::string& name) const;
  double Activate(double x) const;
  void Block(int layer, const Hook& hook, std::vector<Vector>& residuals) const;
  // Context vectors [T][D] of `queries`, `keys`, `values` [T][D].
  std::vector<Vector> Attend(int layer, const std::vector<Vector>& queries,
                             const std::vector<Vector>& keys,
                             const std::vector<Vector>& values) const;

  Gpt2Config config_;
  std::map<std::string, Vector> parameters_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_REFERENCE_GPT2_REFERENCE_H_
