// The keys of a Hugging Face config.json, typed and named, for the parsers of
// the families. Free of LibTorch.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT "config.json: <key>: must be <rule>, got <value>".

#ifndef ALIGNSAE_MODEL_TRANSFORMER_CONFIG_FIELDS_H_
#define ALIGNSAE_MODEL_TRANSFORMER_CONFIG_FIELDS_H_

#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/transformer/activation.h"
#include "model/transformer/end_tokens.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// Far above any model that fits a machine, and low enough that no product of
// two of them overflows int64 and no loop over layers is a denial of service.
inline constexpr int64_t kMaxLayers = 512;
inline constexpr int64_t kMaxHeads = 1024;
inline constexpr int64_t kMaxConfigWidth = 65536;
inline constexpr int64_t kMaxInnerWidth = 1048576;
inline constexpr int64_t kMaxContext = 65536;
inline constexpr int64_t kMaxVocabulary = 16777216;

// What a model directory's config.json holds, of at most 1 MiB. Errors: those
// of ReadFile.
absl::StatusOr<std::string> ReadConfigJson(const std::string& directory);

absl::Status RefuseConfig(absl::string_view key, absl::string_view rule,
                          absl::string_view got);
// A value as a message shows it.
std::string ShownInConfig(const nlohmann::json& value);

// The one object of a file.
absl::StatusOr<nlohmann::json> ParseConfigObject(absl::string_view json);

// Hugging Face's name of `activation`; of several the one that is written.
absl::string_view ActivationName(Activation activation);

// Borrows the object.
class ConfigFields {
 public:
  explicit ConfigFields(const nlohmann::json& object) : object_(object) {}

  // nullptr when the key is absent or null.
  const nlohmann::json* Find(const char* key) const;
  // "nothing", "null" or the value, for a message.
  std::string Got(const char* key) const;

  // Must be there. Integers only: 12.0 and true are refused.
  absl::Status Integer(const char* key, int64_t low, int64_t high,
                       int* out) const;
  // These leave `out` as it is where the key is absent or null.
  absl::Status Boolean(const char* key, bool* out) const;
  absl::Status Epsilon(const char* key, double* out) const;  // (0, 0.1]
  absl::Status ActivationFor(const char* key, Activation* out) const;
  absl::Status EndTokensFor(int vocab_size, EndTokens* out) const;

  // `family` must be what the file says of itself.
  absl::Status ModelType(absl::string_view family) const;
  // Switches whose one supported value is false.
  absl::Status AllFalse(std::initializer_list<const char*> keys) const;
  // Weights in another form, or code of its own.
  absl::Status AllEmpty(std::initializer_list<const char*> keys) const;

 private:
  const nlohmann::json& object_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_CONFIG_FIELDS_H_
