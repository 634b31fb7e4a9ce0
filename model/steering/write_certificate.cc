#include "model/steering/write_certificate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr double kWilsonZ = 1.959963984540054;  // 95 %, two-sided.
constexpr int64_t kMaxTries = int64_t{1} << 53;
constexpr int kMaxCount = std::numeric_limits<int>::max();
// What a figure that is computed anew may differ by: another order of the same
// operations.
constexpr double kRecomputed = 1e-9;

absl::StatusOr<double> NumberIn(const JsonObject& object, absl::string_view key,
                                double low, double high) {
  ALIGNSAE_ASSIGN_OR_RETURN(const double value, object.FiniteNumber(key));
  if (value < low || value > high) {
    return object.Refuse(key, absl::StrCat("in [", low, ", ", high, "]"),
                         ShowNumber(value));
  }
  return value;
}

absl::StatusOr<int64_t> CountIn(const JsonObject& object, absl::string_view key,
                                uint64_t low, uint64_t high,
                                absl::string_view rule) {
  ALIGNSAE_ASSIGN_OR_RETURN(const uint64_t value, object.Unsigned(key));
  if (value < low || value > high) {
    return object.Refuse(key, rule, absl::StrCat(value));
  }
  return static_cast<int64_t>(value);
}

// The number under `key` is `expected`.
absl::Status CheckFollows(const JsonObject& object, absl::string_view key,
                          double expected) {
  ALIGNSAE_ASSIGN_OR_RETURN(const double got, object.FiniteNumber(key));
  if (std::abs(expected - got) <=
      kRecomputed * std::max(1.0, std::abs(expected))) {
    return absl::OkStatus();
  }
  return object.Refuse(
      key,
      absl::StrCat(ShowNumber(expected), ", which follows from the others"),
      ShowNumber(got));
}

absl::StatusOr<MeasuredSwap> ReadSwap(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"n", "successes", "rate", "low", "high", "wordings", "people"}));
  ALIGNSAE_ASSIGN_OR_RETURN(const int64_t n,
                            CountIn(object, "n", 1, kMaxTries, "in [1, 2^53]"));
  ALIGNSAE_ASSIGN_OR_RETURN(const int64_t successes,
                            CountIn(object, "successes", 0, n,
                                    absl::StrCat("in [0, ", n, "], of n")));
  ALIGNSAE_ASSIGN_OR_RETURN(const int wordings,
                            object.Integer("wordings", 1, kMaxCount));
  std::optional<int> people;
  if (object.Has("people")) {
    ALIGNSAE_ASSIGN_OR_RETURN(people, object.Integer("people", 1, kMaxCount));
  }
  const MeasuredSwap result = MeasuredSwapOf(successes, n, wordings, people);
  ALIGNSAE_RETURN_IF_ERROR(CheckFollows(object, "rate", result.rate));
  ALIGNSAE_RETURN_IF_ERROR(CheckFollows(object, "low", result.low));
  ALIGNSAE_RETURN_IF_ERROR(CheckFollows(object, "high", result.high));
  return result;
}

absl::Status CheckPredictedAlpha(const JsonObject& object,
                                 const WriteCertificate& certificate) {
  const std::optional<double> alpha = certificate.predicted_alpha();
  if (alpha) return CheckFollows(object, "predicted_alpha", *alpha);
  const auto it = object.json().find("predicted_alpha");
  const nlohmann::json* got = it == object.json().end() ? nullptr : &*it;
  if (got != nullptr && got->is_null()) return absl::OkStatus();
  return object.Refuse("predicted_alpha", "null where written_share is 0",
                       ShowJson(got));
}

}  // namespace

Interval WilsonInterval(double right, double n) {
  const double z2 = kWilsonZ * kWilsonZ;
  const double p = right / n;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half =
      kWilsonZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  return {.low = std::max(0.0, center - half),
          .high = std::min(1.0, center + half)};
}

MeasuredSwap MeasuredSwapOf(int64_t successes, int64_t n, int wordings,
                            std::optional<int> people) {
  const auto right = static_cast<double>(successes);
  const auto tries = static_cast<double>(n);
  const Interval interval = WilsonInterval(right, tries);
  return {.n = n,
          .successes = successes,
          .rate = right / tries,
          .low = interval.low,
          .high = interval.high,
          .wordings = wordings,
          .people = people};
}

std::optional<double> WriteCertificate::predicted_alpha() const {
  const double alpha = 1 / written_share;
  if (!std::isfinite(alpha)) return std::nullopt;
  return alpha;
}

absl::StatusOr<WriteCertificate> ReadWriteCertificate(
    const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"cosine", "written_share", "predicted_alpha", "measured_swap"}));
  WriteCertificate result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.cosine, NumberIn(object, "cosine", -1, 1));
  ALIGNSAE_ASSIGN_OR_RETURN(result.written_share,
                            object.FiniteNumber("written_share"));
  ALIGNSAE_RETURN_IF_ERROR(CheckPredictedAlpha(object, result));
  if (object.Has("measured_swap")) {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject swap,
                              object.Object("measured_swap"));
    ALIGNSAE_ASSIGN_OR_RETURN(result.measured_swap, ReadSwap(swap));
  }
  return result;
}

nlohmann::ordered_json WriteCertificateToJson(
    const WriteCertificate& certificate) {
  nlohmann::ordered_json json = {{"cosine", certificate.cosine},
                                 {"written_share", certificate.written_share},
                                 {"predicted_alpha", nullptr}};
  if (const auto alpha = certificate.predicted_alpha(); alpha) {
    json["predicted_alpha"] = *alpha;
  }
  if (!certificate.measured_swap) return json;
  const MeasuredSwap& swap = *certificate.measured_swap;
  // Counts as unsigned: whoever reads the value as it is asks for that.
  json["measured_swap"] = {{"n", static_cast<uint64_t>(swap.n)},
                           {"successes", static_cast<uint64_t>(swap.successes)},
                           {"rate", swap.rate},
                           {"low", swap.low},
                           {"high", swap.high},
                           {"wordings", swap.wordings}};
  if (swap.people) json["measured_swap"]["people"] = *swap.people;
  return json;
}

}  // namespace alignsae
