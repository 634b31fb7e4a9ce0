// The six relations of the synthetic people: the concepts that the AlignSAE of
// the shipped bundle binds to slots, in the order of the slots.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_RELATIONS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_RELATIONS_H_

#include <array>

#include "absl/strings/string_view.h"

namespace alignsae {

enum class Relation {
  kBirthDate,
  kBirthCity,
  kUniversity,
  kMajor,
  kEmployer,
  kWorkCity,
};

inline constexpr int kRelationCount = 6;

inline constexpr std::array<Relation, kRelationCount> kRelations = {
    Relation::kBirthDate, Relation::kBirthCity, Relation::kUniversity,
    Relation::kMajor,     Relation::kEmployer,  Relation::kWorkCity};

struct RelationInfo {
  absl::string_view name;         // Concept name, e.g. "birth_city".
  absl::string_view description;  // One sentence for people.
};

inline constexpr std::array<RelationInfo, kRelationCount> kRelationInfo = {{
    {"birth_date", "The day on which a person was born."},
    {"birth_city", "The city in which a person was born."},
    {"university", "The university from which a person graduated."},
    {"major", "The subject that a person studied."},
    {"employer", "The company that a person works for."},
    {"work_city", "The city in which a person works."},
}};

constexpr const RelationInfo& InfoOf(Relation relation) {
  return kRelationInfo[static_cast<int>(relation)];
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_RELATIONS_H_
