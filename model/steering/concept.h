// Concept: one concept of the ontology and the slot that stands for it, as
// cfg.json, bundle.json and the catalog have it. Read and checked in one place.
// Free of LibTorch.
//
//   {"name": "birth_city", "slot": 0, "description": "", "example": "",
//    "active_mean": 4.5, "threshold": 1.5,
//    "certificate": {...}}                       // write_certificate.h
//
// "certificate" may be absent; all other keys are required and no other is
// allowed.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "<file>: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_STEERING_CONCEPT_H_
#define ALIGNSAE_MODEL_STEERING_CONCEPT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "model/base/json_object.h"
#include "model/steering/write_certificate.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct Concept {
  std::string name;
  int slot = 0;  // Feature index in [0, F).
  std::string description;
  std::string example;      // A question that uses the concept; may be empty.
  double active_mean = 0;   // c_j: mean of z_j where the concept is asked.
  double threshold = 0;     // The concept is bound where z_j reaches this.
  double decoder_norm = 0;  // L2 norm of d_j, before the scale s; 0 until the
                            // weights are loaded. Not stored.
  std::optional<WriteCertificate> certificate = std::nullopt;

  friend bool operator==(const Concept&, const Concept&) = default;
};

// Bounds of names (bytes) and slots, so that sizes stay far from overflow.
inline constexpr size_t kMaxNameBytes = 128;
inline constexpr int kMaxFeatures = 1 << 24;
// Of an SAE's scale s: beyond it every edit would overflow or vanish.
inline constexpr double kMinScale = 1e-12;
inline constexpr double kMaxScale = 1e12;

// Names become metric labels, table columns and arguments of a command line.
inline constexpr absl::string_view kNameRule =
    "1 to 128 bytes without control characters";
bool IsGoodName(absl::string_view name);
bool HasControlCharacter(absl::string_view text);

// The array under `key`. Names and slots are distinct and within their rules.
absl::StatusOr<std::vector<Concept>> ReadConcepts(const JsonObject& object,
                                                  absl::string_view key);

nlohmann::ordered_json ConceptsToJson(absl::Span<const Concept> concepts);

// The rules of ReadConcepts for concepts that somebody made, with slots below
// `features`. `place` is what the message calls the array, such as
// "cfg.json: alignsae.concepts".
absl::Status CheckConcepts(absl::Span<const Concept> concepts, int features,
                           absl::string_view place);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_STEERING_CONCEPT_H_
