#include "model/bundle/generation_config.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxBytes = int64_t{1} << 20;

// A setting that changes answers and that no request has, with the value at
// which it changes nothing. Null, and an empty list or object, do not either.
struct Foreign {
  const char* key;
  Json neutral;
};

const std::vector<Foreign>& ForeignSettings() {
  static const std::vector<Foreign>* settings = new std::vector<Foreign>{
      {"bad_words_ids", nullptr},
      {"begin_suppress_tokens", nullptr},
      {"encoder_no_repeat_ngram_size", 0},
      {"exponential_decay_length_penalty", nullptr},
      {"forced_bos_token_id", nullptr},
      {"forced_eos_token_id", nullptr},
      {"guidance_scale", 1},
      {"min_length", 0},
      {"min_new_tokens", 0},
      {"no_repeat_ngram_size", 0},
      {"num_beams", 1},
      {"penalty_alpha", nullptr},
      {"sequence_bias", nullptr},
      {"stop_strings", nullptr},
      {"suppress_tokens", nullptr},
  };
  return *settings;
}

std::vector<std::string> WarningsOf(const std::string& path, const Json& root) {
  std::vector<std::string> warnings;
  for (const Foreign& setting : ForeignSettings()) {
    const auto it = root.find(setting.key);
    if (it == root.end() || it->is_null() || *it == setting.neutral) continue;
    if (it->is_structured() && it->empty()) continue;
    warnings.push_back(absl::StrCat(
        path, ": ", setting.key, ": has no effect here, got ", ShowJson(&*it)));
  }
  return warnings;
}

}  // namespace

absl::StatusOr<GenerationConfig> ReadGenerationConfig(
    const std::string& directory, int vocab_size) {
  const std::string path = absl::StrCat(directory, "/generation_config.json");
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxBytes);
  GenerationConfig config;
  if (absl::IsNotFound(text.status())) return config;
  if (!text.ok()) return text.status();
  const absl::StatusOr<Json> root = ParseJson(*text);
  if (!root.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", root.status().message()));
  }
  if (!root->is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": must be an object, got ", ShowJson(&*root)));
  }
  const std::string key = absl::StrCat(path, ": eos_token_id");
  ALIGNSAE_ASSIGN_OR_RETURN(
      config.end_tokens,
      ParseEndTokens(root->value("eos_token_id", Json()), key, vocab_size));
  config.warnings = UnreachableWarnings(config.end_tokens, key, vocab_size);
  for (std::string& warning : WarningsOf(path, *root)) {
    config.warnings.push_back(std::move(warning));
  }
  return config;
}

}  // namespace alignsae
