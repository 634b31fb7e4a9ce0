#include "model/bundle/measured_swaps.h"

#include <cmath>
#include <optional>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

constexpr double kMaxTries = 9007199254740992;  // 2^53

// The value at a path of an evaluation, which is free form; null where there is
// none.
Json ValueAt(const Json& json, const Json::json_pointer& path) {
  return json.contains(path) ? json.at(path) : Json();
}

std::optional<SwapCount> CountOf(const Json& counts, const char* tries,
                                 const char* rate) {
  if (!counts.is_object() || !counts.contains(tries) ||
      !counts.contains(rate) || !counts[tries].is_number() ||
      !counts[rate].is_number()) {
    return std::nullopt;
  }
  const auto n = counts[tries].get<double>();
  const auto share = counts[rate].get<double>();
  if (!(n >= 1 && n <= kMaxTries && share >= 0 && share <= 1)) {
    return std::nullopt;
  }
  // Evaluations keep rates: of so many tries that rounds to the count.
  return SwapCount{.n = std::llround(n), .successes = std::llround(share * n)};
}

}  // namespace

std::map<std::string, SwapCount> SwapsOfEvaluation(const Json& evaluation) {
  std::map<std::string, SwapCount> swaps;
  const auto add = [&swaps](const std::string& name,
                            const std::optional<SwapCount>& count) {
    if (count) swaps[name] = *count;
  };
  const Json targets =
      ValueAt(evaluation, Json::json_pointer("/test/swap/by_target"));
  if (targets.is_object()) {
    for (const auto& [name, halves] : targets.items()) {
      add(name, CountOf(ValueAt(halves, Json::json_pointer("/all")), "tries",
                        "whole"));
    }
  }
  const Json of_prompts =
      ValueAt(evaluation, Json::json_pointer("/prompts/swap/targets"));
  if (of_prompts.is_object()) {
    for (const auto& [name, share] : of_prompts.items()) {
      add(name, CountOf(share, "n", "rate"));
    }
  }
  return swaps;
}

size_t EvaluatedCheckpoint(const Json& evaluation) {
  const Json index =
      ValueAt(evaluation, Json::json_pointer("/chosen/checkpoint"));
  return index.is_number_unsigned() ? index.get<size_t>() : 0;
}

absl::Status CheckMeasuredSwaps(const Manifest& manifest) {
  const size_t checkpoint = EvaluatedCheckpoint(manifest.evaluation);
  if (checkpoint >= manifest.saes.size()) return absl::OkStatus();
  const auto swaps = SwapsOfEvaluation(manifest.evaluation);
  const auto& concepts = manifest.saes[checkpoint].concepts;
  for (size_t r = 0; r < concepts.size(); ++r) {
    const auto& certificate = concepts[r].certificate;
    const auto it = swaps.find(concepts[r].name);
    if (!certificate || !certificate->measured_swap || it == swaps.end()) {
      continue;
    }
    const MeasuredSwap& got = *certificate->measured_swap;
    const SwapCount& expected = it->second;
    if (got.n == expected.n && got.successes == expected.successes) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "bundle.json: saes[", checkpoint, "].concepts[", r,
        "].certificate.measured_swap: must be ", expected.successes, " of ",
        expected.n, " as in evaluation, got ", got.successes, " of ", got.n));
  }
  return absl::OkStatus();
}

}  // namespace alignsae
