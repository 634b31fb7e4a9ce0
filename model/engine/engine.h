// Engine: the StepExecutor that runs on LibTorch. Owns the model, the
// checkpoints and the KV cache. The header is free of LibTorch so that
// server/main.cc needs none.
//
// Thread-safety: see StepExecutor.

#ifndef ALIGNSAE_MODEL_ENGINE_ENGINE_H_
#define ALIGNSAE_MODEL_ENGINE_ENGINE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/engine/step_executor.h"
#include "model/steering/catalog.h"
#include "model/tokenizer/tokenizer.h"

namespace alignsae {

struct Bundle;  // model/bundle/bundle.h

struct EngineOptions {
  int kv_slots = 64;  // Sequences in the KV cache at once. >= 1.
};

class Engine : public StepExecutor {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(
      std::shared_ptr<const Bundle> bundle, const EngineOptions& options);
  ~Engine() override;

  std::vector<RowResult> Step(absl::Span<const StepRow> rows) override;
  absl::Status CheckIntervention(
      const Intervention& intervention) const override;
  absl::Status ReadFeatures(absl::Span<ConceptReading> readings, int top_k,
                            const WhyStop& why_stop) const override;
  int kv_slots() const override;

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
  EngineOptions engine;
};

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  std::shared_ptr<const Catalog> catalog;
  std::shared_ptr<const Tokenizer> tokenizer;
  // For the start-up log.
  std::string blas;     // Path of the BLAS library in use.
  std::string kernels;  // Instruction set of the CPU kernels: "avx512", ...
  int threads = 0;
  // Why the model runs in f32 though another type was asked for; empty: it does
  // not.
  std::string weight_type_fallback;
  // What was odd in the files and taken all the same, one sentence each.
  std::vector<std::string> warnings;
};

absl::StatusOr<LoadedEngine> LoadEngine(const EngineSetup& setup);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_ENGINE_H_
