// Wire requests -> plain structs that can only be valid. The one place where a
// request is checked; everything behind it may assume the rules of the
// contracts.
//
// Thread-safety: free functions; ParseEnv is read only.
// Errors: INVALID_ARGUMENT (a value outside its rule), NOT_FOUND (an unknown
// checkpoint, concept or slot), FAILED_PRECONDITION (needs what is not loaded),
// each "<field>: must be <rule>, got <value>".
//
// Example:
//   ALIGNSAE_ASSIGN_OR_RETURN(ParsedReadout readout,
//                             ParseReadConcepts(request, env));
//   scheduler.Submit(std::move(readout.spec), sink);

#ifndef ALIGNSAE_SERVER_API_PARSE_H_
#define ALIGNSAE_SERVER_API_PARSE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/model_service.pb.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/scheduler/request.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"
#include "server/config/server_config.h"

namespace alignsae {

struct ParseEnv {
  const Catalog* catalog = nullptr;
  const Tokenizer* tokenizer = nullptr;
  const Limits* limits = nullptr;
  // Whether the loaded checkpoint can run an intervention.
  std::function<absl::Status(const Intervention&)> check_intervention;
};

// ReadConcepts and InspectSlots: one readout for each prompt.
struct ParsedReadout {
  RequestSpec spec;
  int checkpoint = 0;  // Index into the catalog.
  int top_k = 0;       // InspectSlots only.
};

// Generate, Complete and Swap: one sequence for each arm.
struct ParsedGeneration {
  RequestSpec spec;
  std::vector<v1::Arm> arms;      // Of the sequences; the baseline first.
  std::optional<int> checkpoint;  // nullopt: none is loaded.
  uint64_t seed = 0;
};

// SweepAlpha: one sequence for each cell, the baseline first.
struct SweepPlace {
  int target = -1;  // Into the request's targets; -1: the baseline.
  int alpha = -1;   // Into the request's alphas.
};
struct ParsedSweep {
  RequestSpec spec;
  std::vector<SweepPlace> cells;  // Of the sequences.
  std::optional<int> checkpoint;
  uint64_t seed = 0;
};

struct ParsedText {
  std::string text;  // Template applied.
  bool parse_special = false;
};

absl::StatusOr<ParsedReadout> ParseReadConcepts(
    const v1::ReadConceptsRequest& wire, const ParseEnv& env);
absl::StatusOr<ParsedReadout> ParseInspectSlots(
    const v1::InspectSlotsRequest& wire, const ParseEnv& env);

// `fresh_seed` is used when the request gives none.
absl::StatusOr<ParsedGeneration> ParseGenerate(const v1::GenerateRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed);
absl::StatusOr<ParsedGeneration> ParseComplete(const v1::CompleteRequest& wire,
                                               const ParseEnv& env,
                                               uint64_t fresh_seed);
absl::StatusOr<ParsedGeneration> ParseSwap(const v1::SwapRequest& wire,
                                           const ParseEnv& env,
                                           uint64_t fresh_seed);

absl::StatusOr<ParsedSweep> ParseSweepAlpha(const v1::SweepAlphaRequest& wire,
                                            const ParseEnv& env,
                                            uint64_t fresh_seed);

absl::StatusOr<ParsedText> ParseTokenize(const v1::TokenizeRequest& wire,
                                         const ParseEnv& env);
absl::StatusOr<std::vector<int32_t>> ParseDetokenize(
    const v1::DetokenizeRequest& wire, const ParseEnv& env);
// Indices of the checkpoints to tell of.
absl::StatusOr<std::vector<int>> ParseListConcepts(
    const v1::ListConceptsRequest& wire, const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_H_
