// alignsae-server: wires the parts together and lives from start to drain.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "model/base/clock.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "model/engine/engine.h"
#include "model/scheduler/scheduler.h"
#include "model/terminal/exit_code.h"
#include "model/terminal/terminal.h"
#include "server/api/access.h"
#include "server/api/methods.h"
#include "server/api/rpc_env.h"
#include "server/api/slot_watchers.h"
#include "server/config/server_config.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/grpc_server.h"
#include "server/grpc/health_service.h"
#include "server/grpc/inference_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/operator_service.h"
#include "server/grpc/reactors.h"
#include "server/grpc/reflection_service.h"
#include "server/grpc/steering_service.h"
#include "server/http/admin_server.h"
#include "server/http/front_door.h"
#include "server/http/page_file.h"
#include "server/metrics/metrics.h"
#include "server/process/free_memory.h"
#include "server/process/lanes.h"
#include "server/process/log.h"
#include "server/process/memory_trimmer.h"
#include "server/process/process.h"
#include "server/process/refusal_pace.h"
#include "server/registry/bundle_watcher.h"
#include "server/registry/engine_loader.h"
#include "server/registry/model_operator.h"
#include "server/registry/model_registry.h"

namespace alignsae {
namespace {

// Calls that are left when the drain is over are cancelled; this is for their
// last messages.
constexpr absl::Duration kLastMessages = absl::Seconds(1);
// From the end of the drain to the end of the process, at most. README.md
// promises 5 s: the kernel needs the rest to take back the memory, if that has
// grown (1.6 s for 6.7 GiB).
constexpr absl::Duration kToStop = absl::Seconds(3);
// A step with long prompts takes about so long, which is what somebody who
// comes meanwhile waits.
constexpr absl::Duration kPromptStep = absl::Milliseconds(100);
// The log's last lines are lost when nobody has read them by then.
constexpr absl::Duration kLastLines = absl::Seconds(1);

const std::vector<std::string> kApiServices = {"alignsae.v1.ConceptService",
                                               "alignsae.v1.SteeringService",
                                               "alignsae.v1.ModelService"};

std::vector<std::string> ReflectedServices() {
  std::vector<std::string> services = kApiServices;
  services.emplace_back("grpc.health.v1.Health");
  services.emplace_back("inference.GRPCInferenceService");
  return services;
}

EngineSetup EngineSetupOf(const ServerConfig& config) {
  EngineSetup setup;
  setup.model_directory = config.model;
  setup.sae_directories = config.saes;
  setup.whole_sae = config.whole_sae;
  setup.threads = config.threads;
  setup.device = config.device;
  setup.weight_type = config.weight_type;
  setup.check_weight_type = config.weight_type_check == "on";
  setup.tune_kernels = config.kernel_tuning == "on";
  setup.cache_directory = config.cache_dir;
  setup.keep_prepared = config.prepared_cache == "on";
  setup.engine.kv_slots = config.kv_slots;
  setup.engine.kv_tokens = config.kv_tokens;
  setup.engine.kv_contexts = config.device == "cpu" ? kKvContexts : 0;
  setup.default_checkpoint = config.operators.default_checkpoint;
  return setup;
}

absl::Status StartRollout(const ServerConfig& config, ModelOperator& models) {
  const OperatorConfig& flags = config.operators;
  const absl::Status status =
      models.SetRollout("", {flags.shadow, flags.canary, flags.canary_fraction})
          .status();
  return RenameField(
      "rollout.shadow", "--shadow",
      RenameField("rollout.canary_fraction", "--canary-fraction",
                  RenameField("rollout.canary", "--canary", status)));
}

LoadingEnv LoadingEnvOf(const ServerConfig& config, Metrics* metrics) {
  const BindingRule binding = {
      config.require_binding,
      [metrics](const std::string& checkpoint, double rate) {
        metrics->SetValidatedBinding(checkpoint, rate);
      }};
  return {[prompt_tokens = config.max_prompt_tokens_per_step, binding](
              const EngineSetup& setup, bool beside_others) {
            return EngineLoader(setup, prompt_tokens, beside_others, binding);
          },
          &MemoryToLoad,
          [budget = int64_t{config.operators.memory_budget_mib} << 20] {
            return FreeMemory(budget);
          },
          &NameOfCheckpoint};
}

std::vector<std::string> AllMethods() {
  std::vector<std::string> all = RpcMethods();
  for (std::string& method : InferenceMethods()) all.push_back(method);
  for (std::string& method : OperatorMethods()) all.push_back(method);
  return all;
}

SchedulerOptions SchedulerOptionsOf(const ServerConfig& config) {
  SchedulerOptions options;
  options.queue.max_sequences = config.max_queued_sequences;
  options.queue.max_tokens = config.max_queued_tokens;
  // The cells of sweeps leave some places to what is soon done.
  options.queue.max_large = config.max_queued_sequences -
                            std::max(2, config.max_queued_sequences / 20);
  options.max_prompt_tokens_per_step = config.max_prompt_tokens_per_step;
  // Runs that shall be repeated do not depend on times.
  if (config.kernel_tuning == "on") options.prompt_step = kPromptStep;
  options.slots = SlotRulesFor(config.kv_slots);
  options.prefix_cache_tokens = config.prefix_cache_tokens;
  return options;
}

// Everything that serves, in the order in which it needs each other: what comes
// later may use what comes before, and goes first.
struct Parts {
  Parts(const ServerConfig& config, Access given)
      : access(std::move(given)),
        metrics(AllMethods(), kVersion),
        memory(int64_t{config.call_memory_mib} << 20),
        models({SchedulerOptionsOf(config), &clock, &metrics}),
        model_operator(
            {EngineSetupOf(config), config.operators.bundles_directory},
            &models, &metrics.generations(), LoadingEnvOf(config, &metrics)),
        watchers(&metrics, &clock, config.max_watchers),
        env{&models,
            &lanes,
            &metrics,
            &clock,
            &memory,
            &open_calls,
            config,
            {},
            &model_operator,
            &watchers,
            access.policy.get(),
            access.audit.get(),
            &refusal_pace},
        concepts(&env),
        steering(&env),
        model_service(&env),
        operator_service(&env),
        health(kApiServices),
        inference(
            &env, [this] { return health.ready(); }, kApiServices),
        reflection(ReflectedServices(),
                   [this](grpc::CallbackServerContext* context) {
                     return PermitRpc(env, kRpcReflection, context);
                   }) {
    memory.answers.OnReturn([this] { lanes.Wake(); });
  }
  ~Parts() { Stop(); }

  absl::Status OpenPorts() {
    const ServerConfig& config = env.config;
    std::vector<grpc::Service*> services = {
        &concepts, &steering, &model_service, &health, &inference};
    if (config.reflection) services.push_back(&reflection);
    ALIGNSAE_ASSIGN_OR_RETURN(
        grpc,
        GrpcServer::Start(config, GrpcServer::ForCalls(config), services));
    if (config.operators.on) {
      ALIGNSAE_ASSIGN_OR_RETURN(
          operators, GrpcServer::Start(config, GrpcServer::ForOperators(config),
                                       {&operator_service}));
    }
    if (config.http.on) {
      ALIGNSAE_ASSIGN_OR_RETURN(front, FrontDoor::Start(&env, PageFiles()));
    }
    SetProbes();
    ALIGNSAE_ASSIGN_OR_RETURN(
        admin,
        AdminServer::Start(config.admin_listen.host, config.admin_listen.port,
                           {[this] { return metrics.ExpositionText(); },
                            [this] { return health.ready(); }}));
    return config.port_file.empty() ? absl::OkStatus()
                                    : WritePortFile(config.port_file, Ports());
  }

  std::vector<std::pair<std::string, int>> Ports() const {
    return {{"grpc", grpc->port()},
            {"admin", admin->port()},
            {"http", front == nullptr ? 0 : front->port()},
            {"operator", operators == nullptr ? 0 : operators->port()}};
  }

  void SetProbes() {
    Metrics::Probes probes;
    probes.call_memory_bytes = [this] {
      return memory.requests.used() + memory.answers.used();
    };
    probes.log_lines_dropped = &LogLinesDropped;
    probes.http_connections = [this] {
      return front == nullptr ? 0 : front->connections();
    };
    if (const TlsWatcher* tls = grpc->tls()) {
      probes.tls_not_after = [tls] {
        return absl::ToDoubleSeconds(tls->current().identity->not_after -
                                     absl::UnixEpoch());
      };
      probes.tls_reloads = [tls] {
        return std::make_pair(tls->current().reloads, tls->current().failures);
      };
    }
    access.AddTo(&probes);
    metrics.SetProbes(std::move(probes));
    metrics.SetPlaintextExposed(WarnIfExposed(
        env.config, access.policy != nullptr, grpc->tls() != nullptr));
  }

  // Every request has ended before the calls are cancelled, every call before
  // the lanes stop, and every task, late ones too, before the model goes.
  void Stop() {
    models.EndAll();
    const absl::Time told_by = absl::Now() + kLastMessages;
    while (open_calls > 0 && absl::Now() < told_by) {
      absl::SleepFor(absl::Milliseconds(2));
    }
    if (front != nullptr) front->Shutdown();
    if (grpc != nullptr) grpc->Shutdown(absl::ZeroDuration());
    if (operators != nullptr) operators->Shutdown(absl::ZeroDuration());
    watcher.reset();
    lanes.Stop();
    models.Stop();
  }

  const Access access;
  RealClock clock;
  Metrics metrics;
  std::atomic<int> open_calls{0};
  CallMemory memory;
  ModelRegistry models;
  ModelOperator model_operator;
  Lanes lanes;
  RefusalPace refusal_pace;
  SlotWatchers watchers;
  const RpcEnv env;
  ConceptServiceImpl concepts;
  SteeringServiceImpl steering;
  ModelServiceImpl model_service;
  OperatorServiceImpl operator_service;
  HealthService health;
  InferenceServiceImpl inference;
  ReflectionService reflection;
  std::unique_ptr<GrpcServer> grpc;
  std::unique_ptr<GrpcServer> operators;  // Null: no port for them.
  std::unique_ptr<FrontDoor> front;
  std::unique_ptr<AdminServer> admin;
  std::unique_ptr<BundleWatcher> watcher;  // Null without --watch.
};

void LogReady(const Parts& parts, absl::Duration took) {
  LogLine line(LogLevel::kInfo, "ready");
  for (const auto& [name, port] : parts.Ports()) {
    if (port != 0) line.Add(name + "_port", port);
  }
  line.Add("tls", parts.env.config.tls.certificate.empty() ? "off" : "on")
      .Add("seconds", absl::ToDoubleSeconds(took));
}

// Refuses what is new and waits for what runs. Whether all of it ended in time.
bool Drain(Parts& parts) {
  const ServerConfig& config = parts.env.config;
  LogLine(LogLevel::kInfo, "lame_duck")
      .Add("seconds", config.lame_duck_seconds);
  parts.health.SetReady(false);
  absl::SleepFor(absl::Seconds(config.lame_duck_seconds));
  LogLine(LogLevel::kInfo, "drain").Add("seconds", config.drain_seconds);
  const absl::Time drained_by =
      absl::Now() + absl::Seconds(config.drain_seconds);
  parts.models.RefuseNew();
  parts.watchers.Look();  // They learn of it.
  while (parts.open_calls > 0 && absl::Now() < drained_by) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  return parts.open_calls == 0;
}

absl::Status Serve(const ServerConfig& config) {
  const absl::Time started = absl::Now();
  ALIGNSAE_RETURN_IF_ERROR(InitProcess());
  InitLogging(config.log_level);
  SignalWatcher signals([](int code) { std::_Exit(code); });
  signals.set_exit_at_once(true);  // Nothing to drain before it is ready.

  ALIGNSAE_ASSIGN_OR_RETURN(Access access, OpenAccess(config.access));
  Parts parts(config, std::move(access));
  ALIGNSAE_RETURN_IF_ERROR(parts.OpenPorts());
  ALIGNSAE_RETURN_IF_ERROR(RenameField("kv_tokens", "--kv-tokens",
                                       parts.model_operator.LoadFirst()));
  ALIGNSAE_RETURN_IF_ERROR(StartRollout(config, parts.model_operator));
  for (const std::string& model : config.operators.models) {
    ALIGNSAE_RETURN_IF_ERROR(parts.model_operator.LoadAnother(model));
  }
  if (config.operators.watch) {
    parts.watcher = std::make_unique<BundleWatcher>(&parts.model_operator);
  }
  parts.health.SetReady(true);
  parts.watchers.Start();
  LogReady(parts, absl::Now() - started);
  const MemoryTrimmer trimmer;

  signals.set_exit_at_once(false);
  signals.set_patience(absl::Seconds(config.lame_duck_seconds) +
                       absl::Seconds(config.drain_seconds) + kToStop);
  signals.Wait();
  const bool drained = Drain(parts);
  parts.Stop();
  LogLine(LogLevel::kInfo, "stopped").Add("drained", drained ? "yes" : "no");
  FlushLog(kLastLines);
  return absl::OkStatus();
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  const absl::StatusOr<alignsae::ConfigOutcome> outcome =
      alignsae::ParseServerConfig({argv + 1, argv + argc}, &alignsae::GetEnv);
  if (outcome.ok() && !outcome->text_to_print.empty()) {
    alignsae::WriteStdout(outcome->text_to_print);
    return alignsae::FinishStdout("alignsae-server", alignsae::kExitOk);
  }
  const absl::Status status =
      outcome.ok() ? alignsae::Serve(outcome->config) : outcome.status();
  if (status.ok()) return EXIT_SUCCESS;
  std::fprintf(stderr, "alignsae-server: %s\n",
               std::string(status.message()).c_str());
  return alignsae::kExitStartUpFailure;
}
