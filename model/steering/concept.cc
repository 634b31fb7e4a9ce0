#include "model/steering/concept.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

constexpr double kWilsonZ = 1.959963984540054;  // 95 %, two-sided.
// Of a slot's figures: beyond it every edit would overflow.
constexpr double kMaxSlotValue = 1e12;
// Of a description or an example: all of them go out in one answer.
constexpr size_t kMaxConceptText = 4096;
constexpr int64_t kMaxTries = int64_t{1} << 53;
// What a figure that is computed anew may differ by: another order of the same
// operations.
constexpr double kRecomputed = 1e-9;

// Makes the error of a field of the concept of an index.
using RefuseField =
    std::function<absl::Status(size_t index, absl::string_view field,
                               absl::string_view rule, absl::string_view got)>;

absl::Status CheckFields(const Concept& entry, size_t index, int features,
                         const RefuseField& refuse) {
  if (!IsGoodName(entry.name)) {
    return refuse(index, "name", kNameRule, Quoted(entry.name));
  }
  if (entry.slot < 0 || entry.slot >= features) {
    return refuse(index, "slot", absl::StrCat("in [0, ", features - 1, "]"),
                  absl::StrCat(entry.slot));
  }
  for (const auto& [name, value] : {std::pair("active_mean", entry.active_mean),
                                    std::pair("threshold", entry.threshold)}) {
    if (!(std::abs(value) <= kMaxSlotValue)) {
      return refuse(
          index, name,
          absl::StrCat("in [-", kMaxSlotValue, ", ", kMaxSlotValue, "]"),
          absl::StrCat(value));
    }
  }
  for (const auto& [name, text] : {std::pair("description", &entry.description),
                                   std::pair("example", &entry.example)}) {
    if (text->size() > kMaxConceptText) {
      return refuse(index, name,
                    absl::StrCat("at most ", kMaxConceptText, " bytes"),
                    absl::StrCat(text->size()));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAll(absl::Span<const Concept> concepts, int features,
                      const RefuseField& refuse) {
  absl::flat_hash_map<absl::string_view, size_t> by_name;
  absl::flat_hash_map<int, size_t> by_slot;
  for (size_t i = 0; i < concepts.size(); ++i) {
    const Concept& entry = concepts[i];
    ALIGNSAE_RETURN_IF_ERROR(CheckFields(entry, i, features, refuse));
    if (const auto [it, is_new] = by_name.emplace(entry.name, i); !is_new) {
      return refuse(i, "name", "distinct",
                    absl::StrCat(Quoted(entry.name), " as in concepts[",
                                 it->second, "]"));
    }
    if (const auto [it, is_new] = by_slot.emplace(entry.slot, i); !is_new) {
      return refuse(
          i, "slot", "distinct",
          absl::StrCat(entry.slot, " as in concepts[", it->second, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status RefuseEdited(const JsonObject& object, absl::string_view key,
                          double expected, double got) {
  return object.Refuse(
      key,
      absl::StrCat(ShowNumber(expected), ", which follows from the others"),
      ShowNumber(got));
}

// Number in [low, high].
absl::StatusOr<double> NumberIn(const JsonObject& object, absl::string_view key,
                                double low, double high) {
  ALIGNSAE_ASSIGN_OR_RETURN(const double value, object.FiniteNumber(key));
  if (value < low || value > high) {
    return object.Refuse(key, absl::StrCat("in [", low, ", ", high, "]"),
                         ShowNumber(value));
  }
  return value;
}

absl::Status ReadSwap(const JsonObject& object, WriteCertificate& result) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"n", "rate", "low", "high"}));
  ALIGNSAE_ASSIGN_OR_RETURN(const uint64_t n, object.Unsigned("n"));
  if (n == 0 || n > static_cast<uint64_t>(kMaxTries)) {
    return object.Refuse("n", "in [1, 2^53]", absl::StrCat(n));
  }
  result.n = static_cast<int64_t>(n);
  ALIGNSAE_ASSIGN_OR_RETURN(result.rate, NumberIn(object, "rate", 0, 1));
  ALIGNSAE_ASSIGN_OR_RETURN(result.low, object.FiniteNumber("low"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.high, object.FiniteNumber("high"));
  const double tries = static_cast<double>(n);
  const Interval interval = WilsonInterval(result.rate * tries, tries);
  if (std::abs(interval.low - result.low) > kRecomputed) {
    return RefuseEdited(object, "low", interval.low, result.low);
  }
  if (std::abs(interval.high - result.high) > kRecomputed) {
    return RefuseEdited(object, "high", interval.high, result.high);
  }
  return absl::OkStatus();
}

absl::StatusOr<WriteCertificate> ReadCertificate(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys(
      {"cosine", "written_share", "predicted_alpha", "measured_swap"}));
  WriteCertificate result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.cosine, NumberIn(object, "cosine", -1, 1));
  ALIGNSAE_ASSIGN_OR_RETURN(result.written_share,
                            object.FiniteNumber("written_share"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.predicted_alpha,
                            object.FiniteNumber("predicted_alpha"));
  const double predicted = 1 / result.written_share;
  if (std::isfinite(predicted) && std::abs(predicted - result.predicted_alpha) >
                                      kRecomputed * std::abs(predicted)) {
    return RefuseEdited(object, "predicted_alpha", predicted,
                        result.predicted_alpha);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject swap,
                            object.Object("measured_swap"));
  ALIGNSAE_RETURN_IF_ERROR(ReadSwap(swap, result));
  return result;
}

absl::StatusOr<Concept> ReadConcept(const JsonObject& object) {
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"name", "slot", "description", "example", "active_mean",
                       "threshold", "certificate"}));
  Concept result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.name, object.String("name"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.slot,
                            object.Integer("slot", 0, kMaxFeatures - 1));
  ALIGNSAE_ASSIGN_OR_RETURN(result.description, object.String("description"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.example, object.String("example"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.active_mean,
                            object.FiniteNumber("active_mean"));
  ALIGNSAE_ASSIGN_OR_RETURN(result.threshold, object.FiniteNumber("threshold"));
  if (object.Has("certificate")) {
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject certificate,
                              object.Object("certificate"));
    ALIGNSAE_ASSIGN_OR_RETURN(result.certificate, ReadCertificate(certificate));
  }
  return result;
}

nlohmann::ordered_json CertificateToJson(const WriteCertificate& certificate) {
  return {{"cosine", certificate.cosine},
          {"written_share", certificate.written_share},
          {"predicted_alpha", certificate.predicted_alpha},
          {"measured_swap",
           {{"n", static_cast<uint64_t>(certificate.n)},
            {"rate", certificate.rate},
            {"low", certificate.low},
            {"high", certificate.high}}}};
}

}  // namespace

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

bool IsGoodName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         !HasControlCharacter(name);
}

Interval WilsonInterval(double right, double n) {
  const double z2 = kWilsonZ * kWilsonZ;
  const double p = right / n;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half =
      kWilsonZ * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  return {.low = std::max(0.0, center - half),
          .high = std::min(1.0, center + half)};
}

absl::StatusOr<std::vector<Concept>> ReadConcepts(const JsonObject& object,
                                                  absl::string_view key) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> objects,
                            object.Objects(key));
  std::vector<Concept> concepts;
  for (const JsonObject& entry : objects) {
    ALIGNSAE_ASSIGN_OR_RETURN(Concept next, ReadConcept(entry));
    concepts.push_back(std::move(next));
  }
  ALIGNSAE_RETURN_IF_ERROR(
      CheckAll(concepts, kMaxFeatures,
               [&objects](size_t index, absl::string_view field,
                          absl::string_view rule, absl::string_view got) {
                 return objects[index].Refuse(field, rule, got);
               }));
  return concepts;
}

nlohmann::ordered_json ConceptsToJson(absl::Span<const Concept> concepts) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Concept& entry : concepts) {
    nlohmann::ordered_json json = {{"name", entry.name},
                                   {"slot", entry.slot},
                                   {"description", entry.description},
                                   {"example", entry.example},
                                   {"active_mean", entry.active_mean},
                                   {"threshold", entry.threshold}};
    if (entry.certificate) {
      json["certificate"] = CertificateToJson(*entry.certificate);
    }
    array.push_back(std::move(json));
  }
  return array;
}

absl::Status CheckConcepts(absl::Span<const Concept> concepts, int features,
                           absl::string_view place) {
  return CheckAll(
      concepts, features,
      [place](size_t index, absl::string_view field, absl::string_view rule,
              absl::string_view got) {
        return absl::InvalidArgumentError(absl::StrCat(
            place, "[", index, "].", field, ": must be ", rule, ", got ", got));
      });
}

}  // namespace alignsae
