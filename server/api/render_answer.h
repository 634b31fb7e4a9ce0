// What the scheduler tells, as wire messages.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_RENDER_ANSWER_H_
#define ALIGNSAE_SERVER_API_RENDER_ANSWER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/generation.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "model/steering/catalog.h"
#include "server/api/answer_collector.h"
#include "server/api/parse.h"
#include "server/api/render_catalog.h"
#include "server/registry/served_model.h"

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
// An arm without its text and tokens. `asked`: what it was to do.
v1::ArmResult RenderArm(v1::Arm arm, const SequenceSpec& asked,
                        const SequenceFinished& finished,
                        const Catalog& catalog);
// An arm with everything.
v1::ArmResult RenderWholeArm(v1::Arm arm, const SequenceSpec& asked,
                             const SequenceAnswer& answer,
                             const ServedModel& model);

// What every generating answer says about itself: info, prompt_token_ids,
// concepts and seed.
template <typename Message>
void RenderHead(const ServedModel& model, const std::string& request_id,
                std::optional<int> checkpoint, uint64_t seed,
                const RequestSpec& spec, Message* message) {
  const Catalog& catalog = model.catalog();
  *message->mutable_info() = RenderInfo(catalog, request_id, checkpoint);
  const std::vector<int32_t>& prompt = spec.sequences[0].prompt;
  message->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  if (checkpoint.has_value()) {
    *message->mutable_concepts() =
        RenderLabels(catalog.checkpoints[*checkpoint]);
  }
  message->set_seed(seed);
}

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RENDER_ANSWER_H_
