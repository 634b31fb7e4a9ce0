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
#include "model/terminal/terminal.h"

namespace alignsae {

std::string RenderModel(const v1::GetModelResponse& answer,
                        const Look& look = {});
std::string RenderConcepts(const v1::ListConceptsResponse& answer,
                           const Look& look = {});
std::string RenderTokens(const v1::TokenizeResponse& answer,
                         const Look& look = {});
std::string RenderReadings(const v1::ReadConceptsResponse& answer,
                           const Look& look = {});
// `trained`: the positions that the checkpoint was trained on; rows of others
// are dim, and a line says so.
std::string RenderInspection(const v1::InspectSlotsResponse& answer,
                             v1::TrainedPositions trained,
                             const Look& look = {});
// The tokens of both ends, without and with ln_f.
std::string RenderExplanation(const v1::ExplainSlotResponse& answer,
                              const Look& look = {});
// One second of WatchSlots, and what there was since the start.
std::string RenderValidation(const v1::ValidationReport& report,
                             const Look& look = {});
std::string RenderActivity(const v1::WatchSlotsResponse& answer,
                           const Look& look = {});
std::string RenderSwap(const v1::SwapResponse& answer, const Look& look = {});
// A sweep's cells, in any order.
std::string RenderSweep(std::vector<v1::SweepCell> cells,
                        const Look& look = {});
// A matrix's cells, in any order, and how many match.
std::string RenderMatrix(std::vector<v1::SwapMatrixCell> cells,
                         const v1::SwapMatrixSummary& summary,
                         const Look& look = {});
// All tries, and both ends of those that reach the goal.
std::string RenderFoundAlpha(const v1::FindAlphaResponse& answer,
                             const Look& look = {});
// What an arm's edits change besides, and why a guard ended it; empty where
// nothing is told of it.
std::string RenderEffects(const v1::ArmResult& arm);
// The arms of a Generate summary or of Complete: counts, logprobs, receipts.
std::string RenderSummary(const v1::GenerationSummary& summary);
// Generations of models and what is in them.
std::string RenderGenerations(const v1::ListCheckpointsResponse& answer,
                              const Look& look = {});

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_RENDER_H_
