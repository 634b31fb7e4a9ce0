// alignsae-server: wires the parts together and lives from start to drain.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/status_macros.h"
#include "model/engine/engine.h"
#include "model/scheduler/scheduler.h"
#include "model/scheduler/step_thread.h"
#include "server/api/methods.h"
#include "server/api/serving.h"
#include "server/config/server_config.h"
#include "server/config/version.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/grpc_server.h"
#include "server/grpc/health_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/steering_service.h"
#include "server/http/admin_server.h"
#include "server/metrics/metrics.h"
#include "server/process/log.h"
#include "server/process/process.h"
#include "server/registry/metrics_observer.h"

namespace alignsae {
namespace {

// Requests are parsed and rendered on these, beside gRPC's own two threads.
constexpr int kWorkers = 2;
constexpr size_t kMaxWaitingTasks = 1024;
// Calls that are left when the drain is over are cancelled; this is for their
// last messages.
constexpr absl::Duration kLastMessages = absl::Seconds(1);

const std::vector<std::string> kApiServices = {"alignsae.v1.ConceptService",
                                               "alignsae.v1.SteeringService",
                                               "alignsae.v1.ModelService"};

absl::StatusOr<LoadedEngine> Load(const ServerConfig& config) {
  EngineSetup setup;
  setup.model_directory = config.model;
  setup.sae_directories = config.saes;
  setup.whole_sae = config.whole_sae;
  setup.threads = config.threads;
  setup.device = config.device;
  setup.weight_type = config.weight_type;
  setup.engine.kv_slots = config.kv_slots;
  return LoadEngine(setup);
}

// One prompt pass and one decode step, so that the first request does not pay
// for lazy initialisation, and a model that cannot run never becomes ready.
absl::Status WarmUp(StepExecutor& executor) {
  StepRow row;
  row.tokens = {0, 0};
  row.prompt_length = 2;
  row.interventions = std::make_shared<const std::vector<Intervention>>();
  row.sampling = SamplingParams();
  ALIGNSAE_RETURN_IF_ERROR(executor.Step({row}).front().status);
  row.start = 2;
  row.tokens = {0};
  return executor.Step({row}).front().status;
}

SchedulerOptions SchedulerOptionsOf(const ServerConfig& config) {
  SchedulerOptions options;
  options.queue.max_sequences = config.max_queued_sequences;
  options.queue.max_tokens = config.max_queued_tokens;
  options.max_prompt_tokens_per_step = config.max_prompt_tokens_per_step;
  return options;
}

void LogReady(const ServerConfig& config, const LoadedEngine& loaded,
              absl::Duration took, int grpc_port, int admin_port) {
  LogLine(LogLevel::kInfo, "ready")
      .Add("model", loaded.catalog->model.name)
      .Add("checkpoints", loaded.catalog->checkpoints.size())
      .Add("grpc_port", grpc_port)
      .Add("admin_port", admin_port)
      .Add("tls", config.tls.certificate.empty() ? "off" : "on")
      .Add("weight_type", loaded.catalog->model.weight_type)
      .Add("kernels", loaded.kernels)
      .Add("threads", loaded.threads)
      .Add("blas", loaded.blas)
      .Add("seconds", absl::ToDoubleSeconds(took));
}

absl::Status Serve(const ServerConfig& config) {
  const absl::Time started = absl::Now();
  ALIGNSAE_RETURN_IF_ERROR(InitProcess());
  InitLogging(config.log_level);
  SignalWatcher signals([](int code) { std::_Exit(code); });
  signals.set_exit_at_once(true);  // Nothing to drain before it is ready.

  Metrics metrics(RpcMethods(), kServerVersion);
  const RealClock clock;
  ServingState serving;
  WorkerPool workers(kWorkers, kMaxWaitingTasks);
  std::atomic<int> open_calls{0};
  const RpcEnv env = {&serving, &workers,    &metrics,
                      &clock,   &open_calls, config};
  ConceptServiceImpl concepts(&env);
  SteeringServiceImpl steering(&env);
  ModelServiceImpl models(&env);
  HealthService health(kApiServices);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<GrpcServer> grpc_server,
      GrpcServer::Start(config, {&concepts, &steering, &models, &health}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<AdminServer> admin,
      AdminServer::Start(config.admin_listen.host, config.admin_listen.port,
                         {[&metrics] { return metrics.ExpositionText(); },
                          [&health] { return health.ready(); }}));
  if (!config.port_file.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(
        WritePortFile(config.port_file, grpc_server->port(), admin->port()));
  }

  ALIGNSAE_ASSIGN_OR_RETURN(LoadedEngine loaded, Load(config));
  if (!loaded.weight_type_fallback.empty()) {
    LogLine(LogLevel::kWarning, "weight_type_fallback")
        .Add("wanted", config.weight_type)
        .Add("used", loaded.catalog->model.weight_type)
        .Add("why", loaded.weight_type_fallback);
  }
  ALIGNSAE_RETURN_IF_ERROR(WarmUp(*loaded.engine));
  metrics.SetCatalog(*loaded.catalog, config.kv_slots);
  MetricsObserver observer(&metrics, loaded.catalog);
  Scheduler scheduler(
      SchedulerOptionsOf(config), loaded.engine.get(), &clock,
      {loaded.catalog, [tokenizer = loaded.tokenizer](
                           int32_t id) { return TextBytes(*tokenizer, id); }},
      &observer);
  StepThread steps(&scheduler);
  serving.Set(std::make_shared<const Serving>(
      Serving{loaded.catalog, loaded.tokenizer, &scheduler}));
  health.SetReady(true);
  LogReady(config, loaded, absl::Now() - started, grpc_server->port(),
           admin->port());

  signals.set_exit_at_once(false);
  signals.Wait();
  LogLine(LogLevel::kInfo, "lame_duck")
      .Add("seconds", config.lame_duck_seconds);
  health.SetReady(false);
  absl::SleepFor(absl::Seconds(config.lame_duck_seconds));
  LogLine(LogLevel::kInfo, "drain").Add("seconds", config.drain_seconds);
  const absl::Time drained_by =
      absl::Now() + absl::Seconds(config.drain_seconds);
  serving.SetDraining();
  scheduler.RefuseNew();
  bool idle = scheduler.WaitUntilIdle(drained_by - absl::Now());
  // Answers that are made but not yet taken.
  while (open_calls > 0 && absl::Now() < drained_by) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  idle = idle && open_calls == 0;
  steps.Stop();
  grpc_server->Shutdown(kLastMessages);
  LogLine(LogLevel::kInfo, "stopped").Add("drained", idle ? "yes" : "no");
  return absl::OkStatus();
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  const absl::StatusOr<alignsae::ConfigOutcome> outcome =
      alignsae::ParseServerConfig({argv + 1, argv + argc}, &alignsae::GetEnv);
  if (outcome.ok() && !outcome->text_to_print.empty()) {
    std::fputs(outcome->text_to_print.c_str(), stdout);
    return EXIT_SUCCESS;
  }
  const absl::Status status =
      outcome.ok() ? alignsae::Serve(outcome->config) : outcome.status();
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "alignsae-server: %s\n",
               std::string(status.message()).c_str());
  return alignsae::kExitStartUpFailure;
}
