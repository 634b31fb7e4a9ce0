// The relations that the grammar words: of the people, of countries, and as
// many as are wanted.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_LEXICONS_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_LEXICONS_H_

#include <array>
#include <vector>

#include "model/train/data/relations.h"
#include "model/train/data/wordings.h"

namespace alignsae {

inline constexpr int kCountryRelationCount = 5;
inline constexpr std::array<RelationInfo, kCountryRelationCount>
    kCountryRelationInfo = {{
        {"capital", "The capital of a country."},
        {"currency", "The currency of a country, as its ISO 4217 code."},
        {"continent", "The continent on which a country lies."},
        {"language", "The language of a country that is named first."},
        {"calling_code", "The prefix for telephone calls to a country."},
    }};

// The six relations of relations.h, with today's unseen wordings.
std::vector<RelationWords> PeopleInGrammar();

std::vector<RelationWords> CountriesInGrammar();

// The first `count` of a hundred things that somebody has; `count` in [2, 100].
std::vector<RelationWords> ManyRelations(int count);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_LEXICONS_H_
