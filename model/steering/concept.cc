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

// Of a slot's figures: beyond it every edit would overflow.
constexpr double kMaxSlotValue = 1e12;
// Of a description or an example: all of them go out in one answer.
constexpr size_t kMaxConceptText = 4096;

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
    ALIGNSAE_ASSIGN_OR_RETURN(result.certificate,
                              ReadWriteCertificate(certificate));
  }
  return result;
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
      json["certificate"] = WriteCertificateToJson(*entry.certificate);
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
