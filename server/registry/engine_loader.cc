#include "server/registry/engine_loader.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/status_macros.h"
#include "server/process/log.h"
#include "server/process/thread_priority.h"

namespace alignsae {
namespace {

void LogLoaded(const LoadedEngine& loaded, const std::string& wanted_type,
               absl::Duration took) {
  const ModelInfo& model = loaded.catalog->model;
  if (!loaded.weight_type_fallback.empty()) {
    LogLine(LogLevel::kWarning, "weight_type_fallback")
        .Add("wanted", wanted_type)
        .Add("used", model.weight_type)
        .Add("why", loaded.weight_type_fallback);
  }
  for (const PreparedWeights& prepared : model.prepared) {
    const bool well = prepared.why.empty();
    LogLine line(well ? LogLevel::kInfo : LogLevel::kWarning,
                 "prepared_weights");
    line.Add("type", prepared.type)
        .Add("result", PreparedResultName(prepared.result));
    if (!well) line.Add("why", prepared.why);
  }
  for (const TypeMeasurement& measured : model.type_measurements) {
    LogLine(LogLevel::kInfo, "weight_type_measured")
        .Add("type", measured.type)
        .Add("kl", measured.kl)
        .Add("top1", measured.top1)
        .Add("clear_top1", measured.clear_top1)
        .Add("positions", measured.positions)
        .Add("seconds", measured.seconds)
        .Add("cached", measured.cached)
        .Add("misleads", measured.misleads());
  }
  for (const std::string& kernels : model.kernels) {
    LogLine(LogLevel::kInfo, "kernels").Add("what", kernels);
  }
  for (const std::string& warning : loaded.warnings) {
    LogLine(LogLevel::kWarning, "load_warning").Add("what", warning);
  }
  LogLine(LogLevel::kInfo, "model_loaded")
      .Add("model", model.name)
      .Add("checkpoints", loaded.catalog->checkpoints.size())
      .Add("weight_type", model.weight_type)
      .Add("kernels", loaded.kernels)
      .Add("kernels_measured", loaded.kernels_measured)
      .Add("kernels_unsteady", loaded.kernels_unsteady)
      .Add("kernels_cached", loaded.kernels_cached)
      .Add("tuning_seconds", loaded.tuning_seconds)
      .Add("threads", loaded.threads)
      .Add("blas", loaded.blas)
      .Add("seconds", absl::ToDoubleSeconds(took));
}

// Spent on measuring number types: once a model, and no part of what a start
// takes.
absl::Duration MeasuringTime(const ModelInfo& model) {
  absl::Duration spent;
  for (const TypeMeasurement& measured : model.type_measurements) {
    if (!measured.cached) spent += absl::Seconds(measured.seconds);
  }
  return spent;
}

// Weights of zeros, for instance, load and answer nonsense.
absl::Status CheckTellsTokensApart(const SampledToken& token, int vocab_size) {
  const double uniform = -std::log(static_cast<double>(vocab_size));
  if (vocab_size < 2 || token.logprob > uniform + 1e-4) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "model: must find some token more likely than others, got the same "
      "probability for all ",
      vocab_size, "; are the weights zeros?"));
}

absl::StatusOr<LoadedEngine> Load(const EngineSetup& setup,
                                  bool beside_others) {
  if (!beside_others) return LoadEngine(setup);
  absl::StatusOr<PreparedModel> prepared = absl::InternalError("not prepared");
  std::thread([&] {
    LowerPriority();
    prepared = PrepareAlone(setup);
  }).join();
  if (!prepared.ok()) return prepared.status();
  return LoadEngine(setup, *std::move(prepared));
}

}  // namespace

absl::Status WarmUp(StepExecutor& executor, int context_length, int vocab_size,
                    int prompt_tokens) {
  StepRow row;
  row.prompt_length = std::min(prompt_tokens, std::max(1, context_length - 1));
  row.tokens.assign(row.prompt_length, 0);
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams();
  const RowResult prompt = executor.Step({row}).front();
  ALIGNSAE_RETURN_IF_ERROR(prompt.status);
  ALIGNSAE_RETURN_IF_ERROR(CheckTellsTokensApart(*prompt.sampled, vocab_size));
  row.start = row.prompt_length;
  row.tokens = {0};
  return executor.Step({row}).front().status;
}

ModelLoader EngineLoader(EngineSetup setup, int prompt_tokens,
                         bool beside_others, BindingRule binding) {
  return [setup = std::move(setup), prompt_tokens, beside_others,
          binding = std::move(binding)]() -> absl::StatusOr<LoadedModel> {
    const absl::Time started = absl::Now();
    ALIGNSAE_ASSIGN_OR_RETURN(LoadedEngine loaded, Load(setup, beside_others));
    const absl::Time prepared = absl::Now();
    const absl::Duration measuring = MeasuringTime(loaded.catalog->model);
    ALIGNSAE_RETURN_IF_ERROR(
        WarmUp(*loaded.engine, loaded.catalog->model.context_length,
               loaded.catalog->model.vocab_size, prompt_tokens));
    ALIGNSAE_RETURN_IF_ERROR(CheckBinding(*loaded.engine, *loaded.catalog,
                                          *loaded.tokenizer, binding));
    const absl::Time warm = absl::Now();
    LogLoaded(loaded, setup.weight_type, warm - started - measuring);
    return LoadedModel{
        std::move(loaded.catalog), std::move(loaded.tokenizer),
        std::move(loaded.engine),  prepared - started - measuring,
        warm - prepared,           std::move(loaded.bundle)};
  };
}

}  // namespace alignsae
