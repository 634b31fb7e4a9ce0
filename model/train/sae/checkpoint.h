// From residuals to a checkpoint directory: train, calibrate, save.
//
// Thread-safety: one call per directory at a time.
// Errors: those of TrainSae, Sae::FromWeights and SaveSae.
//
// Example:
//   SaePlan plan{.hook = {HookKind::kResidPost, 1}, .options = options,
//                .directory = "run/sae_1"};
//   ALIGNSAE_ASSIGN_OR_RETURN(Sae sae, MakeSae(inputs, plan));

#ifndef ALIGNSAE_MODEL_TRAIN_SAE_CHECKPOINT_H_
#define ALIGNSAE_MODEL_TRAIN_SAE_CHECKPOINT_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/sae/sae.h"
#include "model/steering/hook_point.h"
#include "model/steering/trained_positions.h"
#include "model/train/common/progress.h"
#include "model/train/sae/calibration.h"
#include "model/train/sae/data.h"
#include "model/train/sae/options.h"
#include "model/train/sae/trainer.h"

namespace alignsae {

// What every SAE of a run learns from. Training and validation wordings,
// collected at the hook points that will be used.
struct SaeInputs {
  std::vector<std::string> relations;  // Concepts, in slot order.
  QuestionResiduals train;
  QuestionResiduals validation;
  TrainedPositions positions = TrainedPositions::kLast;
  at::Device device = at::kCPU;
};

// The people whose questions train an SAE: options.people.
std::vector<int> SaePeople(const EvalSet& set, const SaeOptions& options);

absl::StatusOr<SaeInputs> CollectSaeInputs(const Transformer& model,
                                           const Tokenizer& tokenizer,
                                           const EvalSet& set,
                                           const SaeOptions& options,
                                           const std::vector<HookPoint>& hooks,
                                           const ResidualRoom& room = {});

// From labelled prompts; their concepts are the relations. INVALID_ARGUMENT
// when options.span is "mean" and no prompt's position is a text.
absl::StatusOr<SaeInputs> CollectSaeInputs(const Transformer& model,
                                           const Tokenizer& tokenizer,
                                           const PromptSet& set,
                                           const SaeOptions& options,
                                           const std::vector<HookPoint>& hooks,
                                           const ResidualRoom& room = {});

struct SaePlan {
  HookPoint hook;
  SaeOptions options;
  // Gets cfg.json, sae_weights.safetensors, value_heads.safetensors and
  // log.jsonl (every term that an epoch computed); while it trains also
  // training.safetensors, which the end removes.
  std::string directory;
  std::string title;                  // Of the progress bar.
  Progress* progress = nullptr;       // May be null. Not owned.
  std::function<bool()> should_stop;  // Asked after each epoch; may be empty.
  // Whether slots that do not write their concepts are a checkpoint all the
  // same, to be measured.
  bool allow_unwritten = true;
};

// CANCELLED when should_stop said so; the same call goes on from there.
// FAILED_PRECONDITION names the slots that stage 2 left silent where their
// concepts are asked, or that do not write them (sae/written.h, on the training
// rows); no checkpoint is written then. What the training's own figures show to
// have gone wrong (common/signatures.h) is told to `progress`.
absl::StatusOr<Sae> MakeSae(const SaeInputs& inputs, const SaePlan& plan);

// A configuration with concept r at `slots[r]`, calibrated on the inputs. The
// weights must be whole. Used for trained concept slots and, by the baselines,
// for free features that stand in for concepts.
absl::StatusOr<SaeConfig> CalibratedConfig(const SaeInputs& inputs,
                                           SaeConfig config,
                                           const SaeWeights& weights,
                                           const std::vector<int>& slots);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_SAE_CHECKPOINT_H_
