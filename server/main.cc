// alignsae-server: wires the parts together and lives from start to drain.

#include <atomic>
#include <cstdint>
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
#include "server/api/methods.h"
#include "server/api/rpc_env.h"
#include "server/api/slot_watchers.h"
#include "server/config/server_config.h"
#include "server/config/version.h"
#include "server/grpc/concept_service.h"
#include "server/grpc/grpc_server.h"
#include "server/grpc/health_service.h"
#include "server/grpc/model_service.h"
#include "server/grpc/steering_service.h"
#include "server/http/admin_server.h"
#include "server/http/front_door.h"
#include "server/http/page_file.h"
#include "server/metrics/metrics.h"
#include "server/process/lanes.h"
#include "server/process/log.h"
#include "server/process/memory_trimmer.h"
#include "server/process/process.h"
#include "server/registry/engine_loader.h"
#include "server/registry/model_registry.h"

namespace alignsae {
namespace {

// Calls that are left when the drain is over are cancelled; this is for their
// last messages.
constexpr absl::Duration kLastMessages = absl::Seconds(1);
// From the end of the drain to the end of the process, at most.
constexpr absl::Duration kToStop = absl::Seconds(5);
// The log's last lines are lost when nobody has read them by then.
constexpr absl::Duration kLastLines = absl::Seconds(1);

const std::vector<std::string> kApiServices = {"alignsae.v1.ConceptService",
                                               "alignsae.v1.SteeringService",
                                               "alignsae.v1.ModelService"};

EngineSetup EngineSetupOf(const ServerConfig& config) {
  EngineSetup setup;
  setup.model_directory = config.model;
  setup.sae_directories = config.saes;
  setup.whole_sae = config.whole_sae;
  setup.threads = config.threads;
  setup.device = config.device;
  setup.weight_type = config.weight_type;
  setup.engine.kv_slots = config.kv_slots;
  return setup;
}

SchedulerOptions SchedulerOptionsOf(const ServerConfig& config) {
  SchedulerOptions options;
  options.queue.max_sequences = config.max_queued_sequences;
  options.queue.max_tokens = config.max_queued_tokens;
  options.max_prompt_tokens_per_step = config.max_prompt_tokens_per_step;
  // The arms of a Swap.
  options.kv_slots_kept = config.kv_slots >= 4 ? 2 : 0;
  return options;
}

// Everything that serves, in the order in which it needs each other: what comes
// later may use what comes before, and goes first.
struct Parts {
  explicit Parts(const ServerConfig& config)
      : metrics(RpcMethods(), kServerVersion),
        memory(int64_t{config.call_memory_mib} << 20),
        models({SchedulerOptionsOf(config), &clock, &metrics}),
        watchers(&metrics, &clock, config.max_watchers),
        env{&models,     &lanes, &metrics, &clock,   &memory,
            &open_calls, config, {},       &watchers},
        concepts(&env),
        steering(&env),
        model_service(&env),
        health(kApiServices) {
    memory.answers.OnReturn([this] {
      lanes.interactive.Wake();
      lanes.background.Wake();
    });
  }
  ~Parts() { Stop(); }

  absl::Status OpenPorts() {
    const ServerConfig& config = env.config;
    ALIGNSAE_ASSIGN_OR_RETURN(
        grpc, GrpcServer::Start(
                  config, {&concepts, &steering, &model_service, &health}));
    if (config.http.on) {
      ALIGNSAE_ASSIGN_OR_RETURN(front, FrontDoor::Start(&env, PageFiles()));
    }
    SetProbes();
    ALIGNSAE_ASSIGN_OR_RETURN(
        admin,
        AdminServer::Start(config.admin_listen.host, config.admin_listen.port,
                           {[this] { return metrics.ExpositionText(); },
                            [this] { return health.ready(); }}));
    return config.port_file.empty()
               ? absl::OkStatus()
               : WritePortFile(config.port_file, grpc->port(), admin->port(),
                               front == nullptr ? 0 : front->port());
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
    metrics.SetProbes(std::move(probes));
    TellIfExposed();
  }

  void TellIfExposed() {
    const ServerConfig& config = env.config;
    std::vector<Endpoint> clear;
    if (grpc->tls() == nullptr) clear.push_back(config.listen);
    if (config.http.on) clear.push_back(config.http.listen);
    bool exposed = false;
    for (const Endpoint& endpoint : clear) {
      if (IsLoopback(endpoint.host)) continue;
      exposed = true;
      LogLine(LogLevel::kWarning, "plaintext_exposed")
          .Add("listen", endpoint.ToString())
          .Add("what",
               "anybody who reaches this port may call it and read along; "
               "speak TLS (--tls-cert, --tls-client-ca) or keep a proxy in "
               "front");
    }
    metrics.SetPlaintextExposed(exposed);
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
    lanes.Stop();
    models.Stop();
  }

  RealClock clock;
  Metrics metrics;
  std::atomic<int> open_calls{0};
  CallMemory memory;
  ModelRegistry models;
  Lanes lanes;
  SlotWatchers watchers;
  const RpcEnv env;
  ConceptServiceImpl concepts;
  SteeringServiceImpl steering;
  ModelServiceImpl model_service;
  HealthService health;
  std::unique_ptr<GrpcServer> grpc;
  std::unique_ptr<FrontDoor> front;
  std::unique_ptr<AdminServer> admin;
};

void LogReady(const Parts& parts, absl::Duration took) {
  LogLine line(LogLevel::kInfo, "ready");
  line.Add("grpc_port", parts.grpc->port())
      .Add("admin_port", parts.admin->port());
  if (parts.front != nullptr) line.Add("http_port", parts.front->port());
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

  Parts parts(config);
  ALIGNSAE_RETURN_IF_ERROR(parts.OpenPorts());
  ALIGNSAE_RETURN_IF_ERROR(parts.models.Load(
      kDefaultModel,
      EngineLoader(EngineSetupOf(config), config.max_prompt_tokens_per_step)));
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
