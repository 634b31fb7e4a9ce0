// What a user should know about a strength before trusting the answer.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_CLIENT_CLI_HINTS_H_
#define ALIGNSAE_CLIENT_CLI_HINTS_H_

#include <string>
#include <vector>

#include "alignsae/v1/intervention.pb.h"
#include "alignsae/v1/model_service.pb.h"

namespace alignsae {

// One sentence for each of `edits` whose alpha is outside of the range in which
// its target can be expected to work: from half of the smaller to three times
// the larger of what the checkpoint recommends and what the concept's
// certificate predicts. In the demo's measurements half keeps nine swaps of ten
// and three times as well, a tenth or ten times keep a quarter. Nothing is said
// of edits whose strength is no share of an active mean, or where neither is
// known. `checkpoint`: of the request; empty: the first.
std::vector<std::string> AlphaHints(const v1::ListConceptsResponse& concepts,
                                    const std::string& checkpoint,
                                    const std::vector<v1::Intervention>& edits);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_HINTS_H_
