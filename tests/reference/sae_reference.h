// AlignSAE and its interventions once more: scalar loops in double precision,
// one row at a time, as close to the formulas as code can be. What the batched
// code of model/sae and model/intervention is compared with.
//
//   pre = (h / s) W_enc + b_enc      z = act(pre)      h^ = s (z W_dec + b_dec)
//
// Thread-safety: value types and pure functions.
//
// Example:
//   const ReferenceSae sae = RandomReferenceSae({.d_model = 8}, /*seed=*/1);
//   const std::vector<double> steered = ReferenceEdit(sae, intervention, h);

#ifndef ALIGNSAE_TESTS_REFERENCE_SAE_REFERENCE_H_
#define ALIGNSAE_TESTS_REFERENCE_SAE_REFERENCE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "model/sae/config.h"
#include "model/steering/intervention.h"

namespace alignsae {

struct ReferenceSae {
  SaeConfig config;
  std::vector<double> w_enc;      // [D, F] row-major
  std::vector<double> b_enc;      // [F]
  std::vector<double> w_dec;      // [F, D] row-major
  std::vector<double> b_dec;      // [D]
  std::vector<double> threshold;  // [F], jumprelu only

  bool IsConcept(int feature) const;
  std::vector<double> Pre(const std::vector<double>& h) const;
  std::vector<double> Activate(const std::vector<double>& pre) const;
  std::vector<double> Encode(const std::vector<double>& h) const;
  std::vector<double> Decode(const std::vector<double>& z) const;
  // Feature index of the concept with the largest pre.
  int TopConcept(const std::vector<double>& h) const;
};

struct RandomSaeOptions {
  int d_model = 12;
  int n_features = 20;
  std::vector<int> slots = {7, 0, 19};  // Of the concepts.
  SaeActivation activation = SaeActivation::kRelu;
  int k = 4;
  double scale = 1;
};

// Weights uniform around 0 that are exact in float32; every concept has a mean
// of its own. Decided by `seed`.
ReferenceSae RandomReferenceSae(const RandomSaeOptions& options, uint64_t seed);

// Uniform in [-size, size), exact in float32.
std::vector<double> RandomResidual(int d_model, double size, uint64_t seed);

// Feature that SWAP and REPLACE clear at `h`; nullopt for the one-slot modes
// and where the position's top concept is the target itself.
std::optional<int> ReferenceSource(const ReferenceSae& sae,
                                   const Intervention& intervention,
                                   const std::vector<double>& h);

// The residual that an intervention with a vector makes of `h`.
std::vector<double> ReferenceVectorEdit(const Intervention& intervention,
                                        const std::vector<double>& h);

// The residual that `intervention` makes of `h`.
std::vector<double> ReferenceEdit(const ReferenceSae& sae,
                                  const Intervention& intervention,
                                  const std::vector<double>& h);

// Whether `condition`, which is of `sae`, holds of the reading at `h`.
bool ReferenceHolds(const ReferenceSae& sae, const ReadingCondition& condition,
                    const std::vector<double>& h);

double Norm(const std::vector<double>& values);

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_REFERENCE_SAE_REFERENCE_H_
