// WriteCertificate: how well a slot writes its concept, as cfg.json and
// bundle.json have it. Reading says nothing about that: slots that all bind
// write well, or not at all. Free of LibTorch.
//
//   {"cosine": 0.95, "written_share": 0.8, "predicted_alpha": 1.25,
//    "measured_swap": {"n": 400, "successes": 380, "rate": 0.95,
//                      "low": 0.924, "high": 0.967,
//                      "wordings": 10, "people": 40}}
//
// "predicted_alpha" is null where written_share is 0. "measured_swap" may be
// absent, where nobody asked for swaps; in it, "people" may be.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<file>: <key>: must be <rule>, got <value>", also
// for a figure that does not follow from the others. cosine and written_share
// follow from the weights and class_means.safetensors: model/sae/written.h.

#ifndef ALIGNSAE_MODEL_STEERING_WRITE_CERTIFICATE_H_
#define ALIGNSAE_MODEL_STEERING_WRITE_CERTIFICATE_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/base/json_object.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// The 95 % Wilson interval of `right` out of `n` tries, n > 0.
struct Interval {
  double low = 0;
  double high = 1;
};
Interval WilsonInterval(double right, double n);

// Swaps to a concept from all others, by the checkpoint's recommended mode and
// alpha.
struct MeasuredSwap {
  int64_t n = 0;          // Tries, above 0.
  int64_t successes = 0;  // Those that gave the whole answer.
  double rate = 0;        // successes / n.
  double low = 0;         // The 95 % Wilson interval of the rate.
  double high = 0;
  int wordings = 0;  // That were asked, above 0.
  std::optional<int> people =
      std::nullopt;  // Asked about, where that is known.

  friend bool operator==(const MeasuredSwap&, const MeasuredSwap&) = default;
};
// n > 0.
MeasuredSwap MeasuredSwapOf(int64_t successes, int64_t n, int wordings,
                            std::optional<int> people);

struct WriteCertificate {
  // Of d_j with what the class's mean residual differs by from the mean of all
  // class means; 0 where it does not differ.
  double cosine = 0;
  // Of that difference, the share that all concept slots together write along
  // it (a projection: negative where they write against it).
  double written_share = 0;
  std::optional<MeasuredSwap> measured_swap = std::nullopt;

  // The strength at which the whole difference is written: 1 / written_share.
  // Nothing where nothing is written.
  std::optional<double> predicted_alpha() const;

  friend bool operator==(const WriteCertificate&,
                         const WriteCertificate&) = default;
};

absl::StatusOr<WriteCertificate> ReadWriteCertificate(const JsonObject& object);
nlohmann::ordered_json WriteCertificateToJson(
    const WriteCertificate& certificate);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_WRITE_CERTIFICATE_H_
