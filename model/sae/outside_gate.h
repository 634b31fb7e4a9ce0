// OutsideGate: whether a residual lies outside of what a checkpoint knows, the
// second of a reading's two gates (the first is a concept's threshold).
//
// Two normal distributions of low rank at the hook: of prompts that ask a
// concept (known: one mean a concept, one common shape), and of prompts that
// ask none (background). With the squared distance to such a one
//
//   d^2(h) = (||x||^2 - ||U x||^2) / spread^2,  x = h - its nearest mean
//
// a residual's ratio is (d_known / d_background) / limit: it is outside above
// 1. The distance to what is known alone, and the reconstruction error of the
// whole SAE, tell prompts apart less well: a strange wording of a concept is
// far away too, but not in the direction of prompts that ask nothing.
//
// Costs (R + k + b) D products a row, so it is read with every reading, at the
// hook, whether the whole SAE is loaded or not.
//
// In the checkpoint's directory: gate.safetensors. Without it a reading does
// not say whether it is outside.
//
// Letters: N rows, D d_model, R concepts, k and b directions.
//
// Thread-safety: const after it is made.
// Errors: as model/io/tensor_file.h; INVALID_ARGUMENT "<path>: <tensor>: must
// be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_SAE_OUTSIDE_GATE_H_
#define ALIGNSAE_MODEL_SAE_OUTSIDE_GATE_H_

#include <ATen/ATen.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace alignsae {

// A normal distribution of low rank, or several of one shape.
struct LowRankNormal {
  at::Tensor means;       // [M, D]
  at::Tensor directions;  // U [k, D]; rows are orthogonal, of norm below 1.
  double spread = 1;      // Along all other directions; above 0.
};

class OutsideGate {
 public:
  // INVALID_ARGUMENT unless the parts belong together.
  static absl::StatusOr<OutsideGate> Make(const LowRankNormal& known,
                                          const LowRankNormal& background,
                                          double limit);
  // nullopt where `directory` has no gate.safetensors. R concepts of width D.
  static absl::StatusOr<std::optional<OutsideGate>> Load(
      const std::string& directory, int concepts, int d_model,
      at::Device device);
  absl::Status Save(const std::string& directory) const;

  // h [N, D] on the gate's device -> [N] float32, at least 0.
  at::Tensor Ratio(const at::Tensor& h) const;

  double limit() const { return limit_; }

 private:
  OutsideGate(LowRankNormal known, LowRankNormal background, double limit);

  LowRankNormal known_;       // M = R
  LowRankNormal background_;  // M = 1
  double limit_ = 1;
};

inline constexpr char kGateFile[] = "gate.safetensors";

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SAE_OUTSIDE_GATE_H_
