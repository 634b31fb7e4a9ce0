// Typed, named access to a JSON object of a file with a fixed schema. Every
// refusal is one sentence: "<file>: <path of the key>: must be <rule>, got
// <value>".
//
// Thread-safety: const; the JSON document must outlive it.
// Errors: INVALID_ARGUMENT.
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(JsonObject root,
//                             JsonObject::Of(json, "bundle.json"));
//   ALIGNSAE_RETURN_IF_ERROR(root.OnlyKeys({"name", "hook"}));
//   ALIGNSAE_ASSIGN_OR_RETURN(std::string name, root.String("name"));
//   ALIGNSAE_ASSIGN_OR_RETURN(JsonObject hook, root.Object("hook"));

#ifndef ALIGNSAE_MODEL_BASE_JSON_OBJECT_H_
#define ALIGNSAE_MODEL_BASE_JSON_OBJECT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// A value as an error message shows it: short, one line, ASCII. Null pointer:
// "nothing".
std::string ShowJson(const nlohmann::json* value);
// A number: the shortest text that gives the same double back.
std::string ShowNumber(double value);

class JsonObject {
 public:
  // `file` is for messages. The value must be an object.
  static absl::StatusOr<JsonObject> Of(const nlohmann::json& value,
                                       std::string file);

  // The error of a key of this object; `key` may go deeper ("hook.layer").
  absl::Status Refuse(absl::string_view key, absl::string_view rule,
                      absl::string_view got) const;

  // Every key is one of `known`.
  absl::Status OnlyKeys(std::initializer_list<absl::string_view> known) const;

  bool Has(absl::string_view key) const { return Find(key) != nullptr; }

  // The value of a key that must be there, with its type.
  absl::StatusOr<std::string> String(absl::string_view key) const;
  absl::StatusOr<double> FiniteNumber(absl::string_view key) const;
  absl::StatusOr<int> Integer(absl::string_view key, int low, int high) const;
  absl::StatusOr<uint64_t> Unsigned(absl::string_view key) const;
  absl::StatusOr<JsonObject> Object(absl::string_view key) const;
  // An array whose elements are all objects.
  absl::StatusOr<std::vector<JsonObject>> Objects(absl::string_view key) const;

  const nlohmann::json& json() const { return *object_; }

 private:
  JsonObject(const nlohmann::json* object, std::string file, std::string path)
      : object_(object), file_(std::move(file)), path_(std::move(path)) {}

  const nlohmann::json* Find(absl::string_view key) const;
  absl::Status RefuseType(absl::string_view key, absl::string_view rule) const;

  const nlohmann::json* object_;
  std::string file_;
  std::string path_;  // "" or "saes[0]."
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_JSON_OBJECT_H_
