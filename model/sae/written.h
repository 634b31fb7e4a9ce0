// What the slots of a checkpoint write of the differences between classes: the
// figures of a write certificate that need no generated token, and the file
// from which a loader computes them anew.
//
// mu_r is the mean residual at the hook over prompts that ask concept r, mu the
// mean of all mu_r, and w_r = s (z(mu_r) - mean over k of z(mu_k)) W_dec what
// the concept slots alone write of the difference mu_r - mu:
//
//   cosine         of d_r with mu_r - mu
//   written_share  <w_r, mu_r - mu> / ||mu_r - mu||^2
//
// A certificate is bound to weights and class means, not to the language model:
// whoever edits figures, class means and hashes so that they agree is believed,
// and so are measured swaps, which only asking the model again can check.
//
// Letters: D d_model, R concepts.
//
// Thread-safety: free functions.
// Errors: as model/io/tensor_file.h; INVALID_ARGUMENT "<path>: <field>: must be
// <value>, got <value>" for an edited figure.

#ifndef ALIGNSAE_MODEL_SAE_WRITTEN_H_
#define ALIGNSAE_MODEL_SAE_WRITTEN_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/sae/sae.h"
#include "model/steering/write_certificate.h"

namespace alignsae {

// In the checkpoint's directory: tensor "class_means" [R, D] float32, raw
// residuals in concept order.
inline constexpr char kClassMeansFile[] = "class_means.safetensors";

// class_means [R, D] in concept order -> a certificate a concept, without
// measured swap. Both figures are 0 where a class's mean is that of all.
absl::StatusOr<std::vector<WriteCertificate>> MeasureWritten(
    const Sae& sae, const at::Tensor& class_means);

absl::Status SaveClassMeans(const std::string& directory,
                            const at::Tensor& class_means);

// Whether the certificates in the configuration of `sae` are those of its
// weights and of the class means in `directory`, which must be there where one
// concept has a certificate.
absl::Status CheckCertificates(const std::string& directory, const Sae& sae);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_WRITTEN_H_
