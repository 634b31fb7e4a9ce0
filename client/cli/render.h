// Answers as text for people.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_CLIENT_CLI_RENDER_H_
#define ALIGNSAE_CLIENT_CLI_RENDER_H_

#include <string>
#include <vector>

#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/model_service.pb.h"
#include "alignsae/v1/operator_service.pb.h"
#include "alignsae/v1/steering_service.pb.h"

namespace alignsae {

std::string RenderModel(const v1::GetModelResponse& answer);
std::string RenderConcepts(const v1::ListConceptsResponse& answer);
std::string RenderTokens(const v1::TokenizeResponse& answer);
std::string RenderReadings(const v1::ReadConceptsResponse& answer);
std::string RenderInspection(const v1::InspectSlotsResponse& answer);
// One second of WatchSlots, and what there was since the start.
std::string RenderActivity(const v1::WatchSlotsResponse& answer);
std::string RenderSwap(const v1::SwapResponse& answer);
// A sweep's cells, in any order.
std::string RenderSweep(std::vector<v1::SweepCell> cells);
// The arms of a Generate summary or of Complete: counts, logprobs, receipts.
std::string RenderSummary(const v1::GenerationSummary& summary);
// Generations of models and what is in them.
std::string RenderGenerations(const v1::ListCheckpointsResponse& answer);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_RENDER_H_
