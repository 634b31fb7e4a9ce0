// What the scheduler tells, as wire messages.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_RPC_RENDER_ANSWER_H_
#define ALIGNSAE_SERVER_RPC_RENDER_ANSWER_H_

#include <string>
#include <vector>

#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/generation.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "model/base/catalog.h"
#include "server/rpc/answer_collector.h"
#include "server/rpc/parse.h"
#include "server/rpc/serving.h"

namespace alignsae {

v1::ConceptReading RenderReading(const ConceptReading& reading,
                                 const Catalog& catalog);
// Of a reading that encoded every feature.
v1::FeatureSummary RenderFeatures(const ConceptReading& reading);
v1::Token RenderToken(const TokenEvent& event, const Tokenizer& tokenizer);
v1::FinishReason RenderFinishReason(FinishReason reason);
v1::InterventionReceipt RenderReceipt(const Intervention& intervention,
                                      const InterventionReceipt& receipt,
                                      const Catalog& catalog);
// An arm without its text and tokens. `index`: of the arm in `parsed`.
v1::ArmResult RenderArm(const ParsedGeneration& parsed, int index,
                        const SequenceFinished& finished,
                        const Catalog& catalog);
// An arm with everything.
v1::ArmResult RenderWholeArm(const ParsedGeneration& parsed, int index,
                             const SequenceAnswer& answer,
                             const Serving& serving);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_RPC_RENDER_ANSWER_H_
