#include "model/bundle/type_check.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/counter_rng.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/bundle/families.h"
#include "model/tensor/torch_fence.h"
#include "model/transformer/config_fields.h"
#include "model/transformer/logit_agreement.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr int kTexts = 8;
constexpr int kTextLength = 16;

// Tokens of all texts. Byte-pair vocabularies have what is frequent first:
// every power of two of ids is met equally often.
std::vector<int32_t> FixedTokens(int count, int vocab_size) {
  std::vector<int32_t> tokens(count);
  CounterRng rng(kTypeCheckVersion);
  for (int32_t& token : tokens) {
    const double id = std::pow(vocab_size, rng.NextUniform()) - 1;
    token = std::clamp(static_cast<int32_t>(id), 0, vocab_size - 1);
  }
  return tokens;
}

// What every position of every text gives the head, [P, D].
at::Tensor BeforeHead(const Transformer& model) {
  const TransformerFacts& facts = model.facts();
  const int length = std::min(kTextLength, facts.context_length);
  TransformerFacts short_facts = facts;
  short_facts.context_length = length;  // A cache no longer than the texts.
  KvCache cache(short_facts, kTexts, model.device(), model.kv_type());
  std::vector<PackedRow> rows;
  for (int i = 0; i < kTexts; ++i) {
    rows.push_back({.index = i,
                    .kv_slot = i,
                    .length = length,
                    .exit_site = facts.n_layer,
                    .logits = length});
  }
  return model.BeforeHead(FixedTokens(kTexts * length, facts.vocab_size), rows,
                          cache, /*hook=*/nullptr);
}

// The reference's logits at once, because its head is read from the file; the
// others a few positions at a time, for the sake of memory.
LogitAgreement Compare(const Transformer& reference, const Transformer& other) {
  constexpr int64_t kPositions = 16;
  const at::Tensor expected = reference.Head(BeforeHead(reference));  // [P, V]
  const at::Tensor x = BeforeHead(other);                             // [P, D]
  LogitAgreement sums;
  for (int64_t first = 0; first < x.size(0); first += kPositions) {
    const int64_t count = std::min(kPositions, x.size(0) - first);
    sums.Add(expected.narrow(0, first, count),
             other.Head(x.narrow(0, first, count)));
  }
  return sums;
}

absl::StatusOr<TypeMeasurement> MeasureNow(const Transformer& model,
                                           const std::string& directory) {
  const absl::Time started = absl::Now();
  ALIGNSAE_ASSIGN_OR_RETURN(
      const LoadedTransformer reference,
      LoadTransformer(directory, at::kCPU, WeightType::kF32, Keep::kInFiles));
  LogitAgreement sums;
  ALIGNSAE_RETURN_IF_ERROR(WithTorchFence([&] {
    sums = Compare(*reference.model, model);
    return absl::OkStatus();
  }));
  TypeMeasurement measured;
  measured.type = std::string(WeightTypeName(model.weight_type()));
  measured.positions = sums.positions;
  const auto positions = static_cast<double>(sums.positions);
  measured.kl = sums.kl / positions;
  measured.top1 = sums.same / positions;
  if (sums.clear > 0) measured.clear_top1 = sums.clear_same / sums.clear;
  measured.seconds = absl::ToDoubleSeconds(absl::Now() - started);
  return measured;
}

// The file of a figure; empty where there is no cache.
absl::StatusOr<std::string> FigurePath(const TypeCheck& check,
                                       absl::string_view type) {
  if (check.cache_directory.empty() || check.sha256.empty()) {
    return std::string();
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string config,
                            ReadConfigJson(check.directory));
  return absl::StrCat(
      check.cache_directory, "/number-types/",
      Sha256Hex(absl::StrCat(kTypeCheckVersion, "\n", check.sha256, "\n",
                             Sha256Hex(config), "\n", type)),
      ".json");
}

// A number in [0, most] of a cached figure.
bool FigureNumber(const Json& json, const char* key, double most, double* out) {
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number()) return false;
  *out = it->get<double>();
  return *out >= 0 && *out <= most;
}

// nullopt: there is none that can be read.
std::optional<TypeMeasurement> FindFigure(const std::string& path,
                                          absl::string_view type) {
  constexpr int64_t kMaxFigureBytes = 4096;
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxFigureBytes);
  if (!text.ok()) return std::nullopt;
  const absl::StatusOr<Json> json = ParseJson(*text);
  if (!json.ok() || !json->is_object()) return std::nullopt;
  TypeMeasurement found;
  double positions = 0;
  if (!FigureNumber(*json, "positions", 1e6, &positions) ||
      !FigureNumber(*json, "kl", 1e6, &found.kl) ||
      !FigureNumber(*json, "top1", 1, &found.top1) ||
      !FigureNumber(*json, "clear_top1", 1, &found.clear_top1) ||
      !FigureNumber(*json, "seconds", 1e6, &found.seconds)) {
    return std::nullopt;
  }
  found.type = std::string(type);
  found.positions = static_cast<int64_t>(positions);
  found.cached = true;
  return found;
}

absl::Status StoreFigure(const std::string& path,
                         const TypeMeasurement& measured) {
  ALIGNSAE_RETURN_IF_ERROR(
      CreateDirectories(path.substr(0, path.find_last_of('/'))));
  const Json json = {{"positions", measured.positions},
                     {"kl", measured.kl},
                     {"top1", measured.top1},
                     {"clear_top1", measured.clear_top1},
                     {"seconds", measured.seconds}};
  return WriteFileAtomically(path, json.dump() + "\n");
}

}  // namespace

absl::StatusOr<TypeMeasurement> MeasureType(
    const Transformer& model, const TypeCheck& check,
    std::vector<std::string>& warnings) {
  const absl::string_view type = WeightTypeName(model.weight_type());
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string path, FigurePath(check, type));
  if (!path.empty()) {
    if (auto found = FindFigure(path, type)) return *found;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const TypeMeasurement measured,
                            MeasureNow(model, check.directory));
  // A figure of numbers that are none is measured anew each time.
  if (path.empty() || !std::isfinite(measured.kl)) return measured;
  if (const absl::Status kept = StoreFigure(path, measured); !kept.ok()) {
    warnings.push_back(absl::StrCat(
        "weight type: measured again at every start, because the figure "
        "cannot be kept: ",
        kept.message()));
  }
  return measured;
}

WeightType SaferThan(WeightType type) {
  return type == WeightType::kInt8 &&
                 WhyUnsupported(WeightType::kBf16, "cpu").empty()
             ? WeightType::kBf16
             : WeightType::kF32;
}

std::string InWords(const TypeMeasurement& measurement) {
  return absl::StrFormat(
      "%s: KL %.2g from f32, the same most likely token at %.3f of %d "
      "positions (%.3f where f32 is clear)",
      measurement.type, measurement.kl, measurement.top1, measurement.positions,
      measurement.clear_top1);
}

}  // namespace alignsae
