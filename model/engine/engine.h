// Engine: the StepExecutor that runs on LibTorch. Owns the model, the
// checkpoints and the KV cache. The header is free of LibTorch so that
// server/main.cc needs none.
//
// Thread-safety: see StepExecutor.

#ifndef ALIGNSAE_MODEL_ENGINE_ENGINE_H_
#define ALIGNSAE_MODEL_ENGINE_ENGINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/bundle/checkpoint_source.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

struct Bundle;  // model/bundle/bundle.h

struct EngineOptions {
  int kv_slots = 64;  // Sequences in the KV cache at once. >= 1.
  // Tokens of all of them, at least one context; more than all slots hold is
  // all that they hold. 0: what `kv_contexts` whole contexts hold.
  int64_t kv_tokens = 0;
  int kv_contexts = 0;  // 0: as many as there are slots.
};
// The tokens for sequences of `context_length`. FAILED_PRECONDITION,
// "kv_tokens: ...", when a context does not fit.
absl::StatusOr<int64_t> KvTokensOf(const EngineOptions& options,
                                   int context_length);

class Engine : public StepExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      std::shared_ptr<const Bundle> bundle, const EngineOptions& options);
  ~Engine() override;

  std::vector<RowResult> Step(absl::Span<const StepRow> rows) override;
  absl::Status CopyKv(const KvCopy& copy) override;
  absl::Status CheckIntervention(
      const Intervention& intervention) const override;
  absl::Status ReadFeatures(absl::Span<ConceptReading> readings, int top_k,
                            const WhyStop& why_stop) const override;
  absl::StatusOr<SlotExplanation> ExplainSlot(int checkpoint, int slot,
                                              int top_k) const override;
  void TrimKv(int kv_slot, const KvRange& keep) override;
  int kv_slots() const override;
  int64_t kv_tokens() const override;

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// What server/main.cc needs of a bundle, without LibTorch's headers.
struct EngineSetup {
  // A bundle directory (with bundle.json), or a plain HF GPT-2 directory.
  std::string model_directory;
  std::vector<std::string> sae_directories;  // Beside a plain model.
  bool whole_sae = false;                    // Load free features too.
  int threads = 0;                           // 0: every processor.
  std::string device = "cpu";       // As ParseDevice (model/tensor/device.h).
  std::string weight_type = "f32";  // "f32", "bf16" or "int8".
  // Measure it first and take a safer one where it misleads. What is measured
  // is kept in `cache_directory` (empty: nowhere).
  bool check_weight_type = false;
  // Measure which kernels are fastest (transformer/kernel_tuning.h), where that
  // is not known yet.
  bool tune_kernels = false;
  std::string cache_directory;
  bool keep_prepared = false;  // The prepared weights there too.
  EngineOptions engine;

  // Of an engine that runs: its model, tokenizer and checkpoints are shared,
  // and the directories above are not read. May be null.
  std::shared_ptr<const Bundle> base;
  std::string without;  // A checkpoint to leave out; may be empty.
  std::vector<CheckpointSource> put;  // Checkpoints beside, in this order.
  // The one that comes first; empty: as the bundle has them.
  std::string default_checkpoint;
};

// A model and its checkpoints, read and ready to be run.
struct PreparedModel {
  std::shared_ptr<const Bundle> bundle;
  // Why the model runs in another type than was asked for; empty: it does not.
  std::string weight_type_fallback;
};

// The longest part of LoadEngine, for a thread that is not the engine's: it
// computes alone from here on, and opens no OpenMP region.
absl::StatusOr<PreparedModel> PrepareAlone(const EngineSetup& setup);

// What a checkpoint will be served as (bundle/checkpoint_change.h).
absl::StatusOr<std::string> NameOfCheckpoint(const CheckpointSource& source);

// Memory that LoadEngine will take, from the sizes in the files' headers.
struct MemoryNeed {
  int64_t weights = 0;      // Of the model as they stay.
  int64_t reading = 0;      // Beside them until they are prepared.
  int64_t checkpoints = 0;  // Of those that are read.
  int64_t cache = 0;        // The KV cache with all of its tokens.

  int64_t total() const { return weights + reading + checkpoints + cache; }
};
// Reads headers only. Errors: as LoadEngine's for what it reads.
absl::StatusOr<MemoryNeed> MemoryToLoad(const EngineSetup& setup);

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const Bundle> bundle;  // What the engine stands on.
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  // For the start-up log.
  std::string blas;     // Path of the BLAS library in use.
  std::string kernels;  // Instruction set of the CPU kernels: "avx512", ...
  int threads = 0;
  std::string weight_type_fallback;  // As PreparedModel.
  // Of tune_kernels: shapes measured now and found, and what it took.
  int kernels_measured = 0;
  int kernels_unsteady = 0;  // Measured, but not to be kept.
  int kernels_cached = 0;
  double tuning_seconds = 0;
  // What was odd in the files and taken all the same, one sentence each.
  std::vector<std::string> warnings;
};

// Prepares the model on all of the setup's threads and makes the engine.
absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup);
// The same for a model that was prepared before.
absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup,
                                        PreparedModel prepared);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_ENGINE_H_
