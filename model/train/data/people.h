// The subjects of a corpus, with their facts.
//
// Thread-safety: free functions; all are functions of the options.
// Errors: INVALID_ARGUMENT names the option and its rule.

#ifndef ALIGNSAE_MODEL_TRAIN_DATA_PEOPLE_H_
#define ALIGNSAE_MODEL_TRAIN_DATA_PEOPLE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "model/train/data/corpus.h"

namespace alignsae {

// Invented people with the six relations of relations.h.
std::vector<Person> MakePeople(const DataOptions& options);

// Countries of countries.h, in an order drawn from the seed; which half is
// asked about too.
absl::StatusOr<std::vector<Person>> MakeCountries(const DataOptions& options);

// Invented people with options.relations facts of one invented word each; no
// word is a value of two relations.
std::vector<Person> MakeManyRelations(const DataOptions& options);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_DATA_PEOPLE_H_
