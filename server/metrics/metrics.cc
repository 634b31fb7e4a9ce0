#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <sstream>
#include <utility>

#include "model/base/mutex.h"
#include "server/metrics/concept_families.h"
#include "server/metrics/family.h"
#include "server/metrics/process_collector.h"

namespace alignsae {
namespace {

using family::Add;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

const Buckets kRpcSeconds = {.001, .0025, .005, .01, .025, .05, .1, .25,
                             .5,   1,     2.5,  5,   10,   30,  60};
const Buckets kWaitSeconds = {.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10};
const Buckets kFirstTokenSeconds = {.001, .005, .01, .02, .04, .06, .08, .1,
                                    .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
const Buckets kTokenSeconds = {.001, .0025, .005, .01, .02, .03, .05,
                               .075, .1,    .15,  .25, .5,  1,   2.5};
const Buckets kFreeSeconds = {.001, .005, .01, .02, .05, .1, .25, 1};
const Buckets kRows = {1, 2, 4, 8, 16, 32, 64, 128};
const Buckets kAlpha = {0, .1, .25, .5, .75, 1, 1.25, 1.5, 2, 3, 5, 10, 50};
const Buckets kNormRatio = {.01, .03, .1, .2, .3, .5, .75, 1, 1.5, 2, 5, 10};

// In the order of Rejection.
constexpr const char* kRejections[] = {"queue_full", "token_budget", "deadline",
                                       "draining",   "starting",     "memory"};
// In the order of Ineffective.
constexpr const char* kIneffective[] = {"no_position", "no_change",
                                        "below_threshold"};

// In the order of HttpRefusal.
constexpr const char* kHttpRefusals[] = {
    "connections",  "head", "host",   "origin", "path",
    "content_type", "body", "memory", "time"};

// A counter of what somebody else counts.
void RaiseTo(Counter& counter, int64_t count) {
  const double more = static_cast<double>(count) - counter.Value();
  counter.Increment(std::max(0.0, more));
}

struct RpcMetrics {
  Histogram* duration = nullptr;
  Gauge* in_flight = nullptr;
};

}  // namespace

struct Metrics::Impl {
  Impl();
  Registry registry;
  ProcessCollector process;

  Family<Counter>& rpc_requests =
      Add<Counter>(registry, "rpc_requests_total", "RPCs that ended.");
  Family<Histogram>& rpc_duration = Add<Histogram>(
      registry, "rpc_duration_seconds", "Time from the call to its status.");
  Family<Gauge>& rpc_in_flight =
      Add<Gauge>(registry, "rpc_in_flight", "RPCs that run.");
  std::map<std::string, RpcMetrics> methods;

  GenerationMetrics generations{&registry};
  Histogram& queue_wait = Add<Histogram>(registry, "queue_wait_seconds",
                                         "Time from submission to a slot.")
                              .Add({}, kWaitSeconds);
  std::vector<Counter*> rejected;      // By Rejection.
  std::vector<Counter*> http_refused;  // By HttpRefusal.
  Gauge& http_connections =
      Add<Gauge>(registry, "http_connections", "Connections of the front door.")
          .Add({});

  Counter& prompt_tokens =
      Add<Counter>(registry, "prompt_tokens_total", "Prompt tokens computed.")
          .Add({});
  Counter& generated_tokens =
      Add<Counter>(registry, "generated_tokens_total", "Tokens generated.")
          .Add({});
  Counter& forks = Add<Counter>(registry, "forks_total",
                                "Variants that began on another one's prompt.")
                       .Add({});
  Counter& tokens_saved =
      Add<Counter>(registry, "prefix_tokens_saved_total",
                   "Prompt tokens that forks did not compute again.")
          .Add({});
  Histogram& first_token =
      Add<Histogram>(registry, "time_to_first_token_seconds",
                     "Time from submission to the first token.")
          .Add({}, kFirstTokenSeconds);
  Histogram& token_time =
      Add<Histogram>(registry, "time_per_output_token_seconds",
                     "Mean time of a sequence's tokens after its first.")
          .Add({}, kTokenSeconds);
  Histogram& step_duration =
      Add<Histogram>(registry, "step_duration_seconds", "Time of one step.")
          .Add({}, kTokenSeconds);
  Histogram& step_rows =
      Add<Histogram>(registry, "step_rows", "Sequences in one step.")
          .Add({}, kRows);
  Histogram& cancel_to_free =
      Add<Histogram>(registry, "cancel_to_free_seconds",
                     "Time from a client's cancellation to the free slot.")
          .Add({}, kFreeSeconds);

  ConceptFamilies concepts{&registry};
  Family<Gauge>& validated_binding =
      Add<Gauge>(registry, "validated_binding",
                 "Share of stored prompts read right when last validated.");

  std::map<InterventionMode, Counter*> steering;
  std::map<InterventionMode, Histogram*> alpha;
  // By Ineffective.
  std::map<InterventionMode, std::vector<Counter*>> ineffective;
  Histogram& steering_norm_ratio =
      Add<Histogram>(registry, "steering_norm_ratio",
                     "Norm of a change over the norm of the residual.")
          .Add({}, kNormRatio);

  Gauge& plaintext_exposed =
      Add<Gauge>(registry, "plaintext_exposed",
                 "1: a port for calls speaks in the clear beyond this host.")
          .Add({});

  Probes probes;  // Asked by Probe().
  // Null without TLS.
  Gauge* tls_not_after = nullptr;
  Counter* tls_reloaded = nullptr;
  Counter* tls_failed = nullptr;
  Gauge& call_memory =
      Add<Gauge>(registry, "call_memory_bytes",
                 "What calls hold of --call-memory-mib, as estimated.")
          .Add({});
  Counter& log_dropped = Add<Counter>(registry, "log_lines_dropped_total",
                                      "Log lines that nobody read in time.")
                             .Add({});
  // Empty without a policy.
  std::vector<Counter*> policy_refused;  // In the order of PolicyCounts.
  std::vector<Counter*> policy_reloads;
  Counter& audit_lost = Add<Counter>(registry, "audit_lines_lost_total",
                                     "Lines that are not in the audit log.")
                            .Add({});
  void ProbePolicy();
  void Probe();

  Gauge& load_time =
      Add<Gauge>(registry, "model_load_seconds",
                 "Time to read and prepare the newest generation.")
          .Add({});
  Gauge& warm_up_time = Add<Gauge>(registry, "model_warm_up_seconds",
                                   "Time of its first steps, before it served.")
                            .Add({});
  Family<Gauge>& build_info =
      Add<Gauge>(registry, "build_info", "This server, 1.");

  Mutex mutex;  // Of Probe.
};

Metrics::Impl::Impl() {
  Family<Counter>& rejections =
      Add<Counter>(registry, "rejected_total",
                   "Requests that were refused or dropped before they ran.");
  for (const char* reason : kRejections) {
    rejected.push_back(&rejections.Add({{"reason", reason}}));
  }
  Family<Counter>& refusals =
      Add<Counter>(registry, "http_refused_total",
                   "Requests that the front door refused before a call.");
  for (const char* reason : kHttpRefusals) {
    http_refused.push_back(&refusals.Add({{"reason", reason}}));
  }
  Family<Counter>& modes =
      Add<Counter>(registry, "steering_total", "Interventions that ran.");
  Family<Histogram>& alphas =
      Add<Histogram>(registry, "steering_alpha",
                     "Alpha of interventions, but for those in unit RAW.");
  Family<Counter>& without_effect =
      Add<Counter>(registry, "steering_ineffective_total",
                   "Interventions that ran and changed nothing of note.");
  for (InterventionMode mode : kInterventionModes) {
    const std::string name(InterventionModeName(mode));
    steering[mode] = &modes.Add({{"mode", name}});
    if (HasAlpha(mode)) alpha[mode] = &alphas.Add({{"mode", name}}, kAlpha);
    for (const char* reason : kIneffective) {
      ineffective[mode].push_back(
          &without_effect.Add({{"mode", name}, {"reason", reason}}));
    }
  }
}

Metrics::Metrics(const std::vector<std::string>& methods,
                 const std::string& version)
    : impl_(std::make_unique<Impl>()) {
  impl_->build_info.Add({{"name", "alignsae-server"}, {"version", version}})
      .Set(1);
  std::vector<std::string> all = methods;
  all.push_back(family::kOther);
  for (const std::string& method : all) {
    const Labels labels = {{"method", method}};
    impl_->methods[method] = {&impl_->rpc_duration.Add(labels, kRpcSeconds),
                              &impl_->rpc_in_flight.Add(labels)};
    impl_->rpc_requests.Add({{"method", method}, {"code", "OK"}});
  }
}

Metrics::~Metrics() = default;

std::unique_ptr<ConceptMetrics> Metrics::SetCatalog(const Catalog& catalog) {
  return impl_->concepts.ForCatalog(catalog);
}

GenerationMetrics& Metrics::generations() { return impl_->generations; }

void Metrics::SetLoadTimes(absl::Duration load, absl::Duration warm_up) {
  impl_->load_time.Set(absl::ToDoubleSeconds(load));
  impl_->warm_up_time.Set(absl::ToDoubleSeconds(warm_up));
}

void Metrics::Impl::ProbePolicy() {
  if (probes.audit_lines_lost != nullptr) {
    RaiseTo(audit_lost, probes.audit_lines_lost());
  }
  if (policy_refused.empty()) return;
  const PolicyCounts counts = probes.policy();
  RaiseTo(*policy_refused[0], counts.unauthenticated);
  RaiseTo(*policy_refused[1], counts.denied);
  RaiseTo(*policy_refused[2], counts.quota);
  RaiseTo(*policy_reloads[0], counts.reloads);
  RaiseTo(*policy_reloads[1], counts.failures);
}

void Metrics::Impl::Probe() {
  MutexLock lock(&mutex);
  if (probes.call_memory_bytes != nullptr) {
    call_memory.Set(static_cast<double>(probes.call_memory_bytes()));
  }
  if (probes.http_connections != nullptr) {
    http_connections.Set(static_cast<double>(probes.http_connections()));
  }
  if (probes.log_lines_dropped != nullptr) {
    RaiseTo(log_dropped, probes.log_lines_dropped());
  }
  ProbePolicy();
  if (tls_not_after != nullptr) {
    tls_not_after->Set(probes.tls_not_after());
    const auto [reloads, failures] = probes.tls_reloads();
    RaiseTo(*tls_reloaded, reloads);
    RaiseTo(*tls_failed, failures);
  }
}

void Metrics::SetProbes(Probes probes) {
  impl_->probes = std::move(probes);
  if (impl_->probes.policy != nullptr) {
    Family<Counter>& refused =
        Add<Counter>(impl_->registry, "policy_refused_total",
                     "Calls that the policy refused.");
    for (const char* reason : {"credentials", "policy", "quota"}) {
      impl_->policy_refused.push_back(&refused.Add({{"reason", reason}}));
    }
    Family<Counter>& taken = Add<Counter>(
        impl_->registry, "policy_reloads_total",
        "Changes of the policy's files, by whether they could be used.");
    for (const char* result : {"ok", "failed"}) {
      impl_->policy_reloads.push_back(&taken.Add({{"result", result}}));
    }
  }
  if (impl_->probes.tls_not_after == nullptr) return;
  impl_->tls_not_after =
      &Add<Gauge>(impl_->registry, "tls_certificate_not_after_seconds",
                  "When the gRPC port's certificate ends, since the epoch.")
           .Add({});
  Family<Counter>& reloads =
      Add<Counter>(impl_->registry, "tls_reloads_total",
                   "Changes of the TLS files, by whether they could be used.");
  impl_->tls_reloaded = &reloads.Add({{"result", "ok"}});
  impl_->tls_failed = &reloads.Add({{"result", "failed"}});
}

void Metrics::SetValidatedBinding(const std::string& checkpoint, double rate) {
  impl_->validated_binding.Add({{"checkpoint", checkpoint}}).Set(rate);
}

void Metrics::SetPlaintextExposed(bool exposed) {
  impl_->plaintext_exposed.Set(exposed ? 1 : 0);
}

void Metrics::RpcStarted(absl::string_view method) {
  auto it = impl_->methods.find(std::string(method));
  if (it == impl_->methods.end()) it = impl_->methods.find(family::kOther);
  it->second.in_flight->Increment();
}

void Metrics::RpcFinished(absl::string_view method, absl::string_view code,
                          absl::Duration took) {
  auto it = impl_->methods.find(std::string(method));
  if (it == impl_->methods.end()) it = impl_->methods.find(family::kOther);
  it->second.in_flight->Decrement();
  it->second.duration->Observe(absl::ToDoubleSeconds(took));
  impl_->rpc_requests.Add({{"method", it->first}, {"code", std::string(code)}})
      .Increment();
}

void Metrics::ObserveQueueWait(absl::Duration waited) {
  impl_->queue_wait.Observe(absl::ToDoubleSeconds(waited));
}

void Metrics::CountRejected(Rejection reason) {
  impl_->rejected[static_cast<size_t>(reason)]->Increment();
}

void Metrics::CountHttpRefused(HttpRefusal reason) {
  impl_->http_refused[static_cast<size_t>(reason)]->Increment();
}

void Metrics::ObserveStep(absl::Duration took, int rows) {
  impl_->step_duration.Observe(absl::ToDoubleSeconds(took));
  impl_->step_rows.Observe(rows);
}

void Metrics::CountTokens(int64_t prompt, int64_t generated) {
  impl_->prompt_tokens.Increment(static_cast<double>(prompt));
  impl_->generated_tokens.Increment(static_cast<double>(generated));
}

void Metrics::CountForks(int64_t forks, int64_t tokens_saved) {
  impl_->forks.Increment(static_cast<double>(forks));
  impl_->tokens_saved.Increment(static_cast<double>(tokens_saved));
}

void Metrics::ObserveFirstToken(absl::Duration since_submit) {
  impl_->first_token.Observe(absl::ToDoubleSeconds(since_submit));
}

void Metrics::ObserveTokenTime(absl::Duration per_token) {
  impl_->token_time.Observe(absl::ToDoubleSeconds(per_token));
}

void Metrics::ObserveCancelToFree(absl::Duration took) {
  impl_->cancel_to_free.Observe(absl::ToDoubleSeconds(took));
}

void Metrics::CountSteering(InterventionMode mode) {
  impl_->steering.at(mode)->Increment();
}

void Metrics::ObserveAlpha(InterventionMode mode, double alpha) {
  const auto it = impl_->alpha.find(mode);
  if (it != impl_->alpha.end()) it->second->Observe(alpha);
}

void Metrics::CountIneffective(InterventionMode mode, Ineffective reason) {
  impl_->ineffective.at(mode)[static_cast<size_t>(reason)]->Increment();
}

void Metrics::ObserveSteeringNormRatio(double ratio) {
  if (std::isfinite(ratio)) impl_->steering_norm_ratio.Observe(ratio);
}

std::vector<CheckpointActivity> Metrics::SlotActivities() const {
  return impl_->concepts.Activity();
}

std::string Metrics::ExpositionText() const {
  impl_->Probe();
  std::ostringstream text;
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  for (prometheus::MetricFamily& family : impl_->process.Collect()) {
    families.push_back(std::move(family));
  }
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace alignsae
