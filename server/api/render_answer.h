// What the scheduler tells, as wire messages.
//
// Threads: in the interactive lane, a token, an arm or a reading at a time;
// nothing blocks. What is rendered was checked when it was asked for, so
// nothing here fails.
// Not for: the sizes of answers, which reply_size.h knows before the work.

#ifndef ALIGNSAE_SERVER_API_RENDER_ANSWER_H_
#define ALIGNSAE_SERVER_API_RENDER_ANSWER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/generation.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "server/api/answer_collector.h"
#include "server/api/asked.h"
#include "server/api/render_catalog.h"

namespace alignsae {

// The one reading of a prompt that was read at one position, or at several:
// their mean.
ConceptReading WholeReading(const SequenceFinished& finished,
                            const Catalog& catalog);

v1::ConceptReading RenderReading(const ConceptReading& reading,
                                 const Catalog& catalog);
// Of a reading that encoded every feature. In place: there may be thousands.
void RenderFeatures(const ConceptReading& reading, v1::FeatureSummary* wire);
v1::Token RenderToken(const TokenEvent& event, const Tokenizer& tokenizer);
v1::PromptToken RenderPromptToken(const SampledToken& token, int position,
                                  const Tokenizer& tokenizer);
v1::FinishReason RenderFinishReason(FinishReason reason);
v1::InterventionReceipt RenderReceipt(const Intervention& intervention,
                                      const InterventionReceipt& receipt,
                                      const Catalog& catalog);
// Arm `index` of the request without its text and tokens.
v1::ArmResult RenderArm(const AskedGeneration& asked, size_t index,
                        const SequenceFinished& finished,
                        const Catalog& catalog);
// An arm with everything.
v1::ArmResult RenderWholeArm(const AskedGeneration& asked, size_t index,
                             const SequenceAnswer& answer,
                             const Catalog& catalog,
                             const Tokenizer& tokenizer);

// What every generating answer says about itself: info, prompt_token_ids,
// concepts and seed.
template <typename Message>
void RenderHead(const Catalog& catalog, const std::string& request_id,
                const AskedGeneration& asked,
                const std::vector<int32_t>& prompt, Message* message) {
  *message->mutable_info() = RenderInfo(catalog, request_id, asked.checkpoint);
  message->mutable_prompt_token_ids()->Assign(prompt.begin(), prompt.end());
  if (asked.checkpoint.has_value()) {
    *message->mutable_concepts() =
        RenderLabels(catalog.checkpoints[*asked.checkpoint]);
  }
  message->set_seed(asked.seed);
}

// What both readouts say about themselves: info, concepts and hook point.
template <typename Message>
void RenderReadoutHead(const Catalog& catalog, const std::string& request_id,
                       int checkpoint, Message* message) {
  const CheckpointInfo& info = catalog.checkpoints[checkpoint];
  *message->mutable_info() = RenderInfo(catalog, request_id, checkpoint);
  *message->mutable_concepts() = RenderLabels(info);
  *message->mutable_hook_point() = RenderHook(info.hook);
}

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_RENDER_ANSWER_H_
