// One step of the engine, as plain data: what every row of the batch does, and
// what came out. Free of LibTorch, so that the scheduler is.
//
// A row is one sequence's share of a step: a prompt pass (or a part of one), or
// one decode token. Rows of one step have different lengths, interventions and
// sampling settings, and some only read (they leave at their hook).
//
// Thread-safety: value types.

#ifndef ALIGNSAE_MODEL_ENGINE_STEP_H_
#define ALIGNSAE_MODEL_ENGINE_STEP_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "model/sampling/params.h"
#include "model/steering/condition.h"
#include "model/steering/hook_point.h"
#include "model/steering/intervention.h"
#include "model/steering/receipt.h"

namespace alignsae {

// What is read at a checkpoint's hook, before any intervention there.
struct Observation {
  int checkpoint = 0;          // Index into Catalog::checkpoints.
  std::vector<int> positions;  // Absolute, sorted, inside this step's tokens.
  // Also keep the residual, for StepExecutor::ReadFeatures. Needs the whole
  // SAE.
  bool whole = false;
};

// Concept slots at one position, or their mean over several.
struct ConceptReading {
  int checkpoint = 0;
  int position = 0;   // Of a mean: the last one.
  int positions = 1;  // That it is the mean of (scheduler/mean_reading.h).
  std::vector<float> values;         // [R] z of each concept.
  std::vector<float> probabilities;  // [R] softmax of pre over the concepts.
  int top = 0;                       // Argmax of pre, index into concepts.
  double margin = 0;   // Probability of the top concept minus the runner-up's.
  bool bound = false;  // The top concept's value reaches its threshold.
  // sae/outside_gate.h: outside above 1; nullopt: the checkpoint has no gate.
  std::optional<double> outside_ratio = std::nullopt;

  bool outside() const { return outside_ratio.value_or(0) > 1; }
  bool Meets(const ReadingCondition& condition) const {
    return condition.Holds(values[condition.column],
                           bound && top == condition.column);
  }

  struct FeatureValue {
    int feature = 0;
    float value = 0;
  };
  std::vector<float> residual;  // [D] h; Observation::whole only.
  // Set by StepExecutor::ReadFeatures.
  std::vector<FeatureValue> top_features;  // Non-zero ones, largest first.
  int l0 = 0;                              // Features with z != 0.
  double reconstruction_error = 0;         // norm(h^ - h) / norm(h).
  double residual_norm = 0;                // norm(h).
};

struct StepRow {
  int kv_slot = 0;
  int start = 0;  // Positions already in the cache.
  std::vector<int32_t>
      tokens;             // At positions [start, start + size). Not empty.
  int prompt_length = 0;  // Positions below it are prompt.
  // The variants that this row is one of. Rows of one fork that feed prompt
  // tokens feed the same ones, and all of them are in the step. nullopt:
  // nothing is shared.
  std::optional<PromptFork> fork;
  // Shared by all steps of the request; never null. In order of application.
  std::shared_ptr<const std::vector<Intervention>> interventions;
  std::vector<Observation> observations;
  // Sample the token after the last one. nullopt: a readout, or a prompt chunk
  // that is not the last.
  std::optional<SamplingParams> sampling;
  // A readout that leaves after the last observed hook. With sampling: false.
  bool leave_after_observations = false;
  // All ids of the sequence, prompt and generated, `tokens` included; only read
  // for the penalties (SamplingParams::needs_history). May be empty without.
  std::vector<int32_t> history;
  // A prompt's own ids whose logprobs are wanted, each after the row's token of
  // the same index: one for every token, but for the one that `sampling` goes
  // on from. Empty: none.
  std::vector<int32_t> scored;
  int n_scored_logprobs = 0;  // Most likely tokens reported with each.
  // Another row of the step that samples: RowResult::kl says how far what is
  // sampled from here is from what it samples from. -1: none.
  int reference = -1;
};

// The first `positions` of KV slot `from`, in the first `layers` blocks, to
// slot `to`, where what lay there is lost. One slot: nothing moves.
struct KvCopy {
  int from = 0;
  int to = 0;
  int positions = 0;
  int layers = 0;
};

// Positions [begin, end) of a KV slot.
struct KvRange {
  int begin = 0;
  int end = 0;

  int size() const { return end - begin; }
  friend bool operator==(const KvRange&, const KvRange&) = default;
};

struct RowResult {
  // OK, or OUT_OF_RANGE when the logits are not finite because of an
  // intervention. Other rows are not affected.
  absl::Status status;
  std::optional<SampledToken> sampled;  // When sampling was asked.
  // KL of the softmax of the raw logits from that of StepRow::reference, nats.
  std::optional<double> kl;
  std::vector<SampledToken> scores;      // Of StepRow::scored, in its order.
  std::vector<ConceptReading> readings;  // In order of observations, positions.
  // One per intervention: what it did in this step.
  std::vector<InterventionReceipt> receipts;
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_STEP_H_
