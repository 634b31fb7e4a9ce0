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
#include <set>
#include <sstream>
#include <utility>

#include "model/base/mutex.h"
#include "server/metrics/process_collector.h"

namespace alignsae {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::Registry;
using Buckets = Histogram::BucketBoundaries;

constexpr char kPrefix[] = "alignsae_";
constexpr char kOther[] = "other";
constexpr char kNone[] = "none";
constexpr size_t kHashDigits = 12;

const Buckets kRpcSeconds = {.001, .0025, .005, .01, .025, .05, .1, .25,
                             .5,   1,     2.5,  5,   10,   30,  60};
const Buckets kWaitSeconds = {.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10};
const Buckets kFirstTokenSeconds = {.001, .005, .01, .02, .04, .06, .08, .1,
                                    .25,  .5,   .75, 1,   2.5, 5,   7.5, 10};
const Buckets kTokenSeconds = {.001, .0025, .005, .01, .02, .03, .05,
                               .075, .1,    .15,  .25, .5,  1,   2.5};
const Buckets kFreeSeconds = {.001, .005, .01, .02, .05, .1, .25, 1};
const Buckets kRows = {1, 2, 4, 8, 16, 32, 64, 128};
const Buckets kRatio = {0, .1, .25, .5, .75, 1, 1.25, 1.5, 2, 3, 5};
const Buckets kNormRatio = {.01, .03, .1, .2, .3, .5, .75, 1, 1.5, 2, 5, 10};

// In the order of Rejection.
constexpr const char* kRejections[] = {"queue_full", "token_budget", "deadline",
                                       "draining",   "starting",     "memory"};

// In the order of HttpRefusal.
constexpr const char* kHttpRefusals[] = {
    "connections",  "head", "host",   "origin", "path",
    "content_type", "body", "memory", "time"};

template <typename T>
Family<T>& Add(Registry& registry, const char* name, const char* help) {
  return prometheus::detail::Builder<T>()
      .Name(std::string(kPrefix) + name)
      .Help(help)
      .Register(registry);
}

struct RpcMetrics {
  Histogram* duration = nullptr;
  Gauge* in_flight = nullptr;
};

// Series of one concept of one checkpoint.
struct ConceptSeries {
  Counter* top = nullptr;
  Histogram* ratio = nullptr;
};
struct CheckpointSeries {
  Counter* none = nullptr;
  std::vector<ConceptSeries> concepts;
};

}  // namespace

struct Metrics::Impl {
  Impl();
  // The label of a concept: its own name, or `other` when there are too many.
  std::string LabelOf(const std::string& checkpoint, const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  CheckpointSeries SeriesOf(const CheckpointInfo& checkpoint)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  Registry registry;
  ProcessCollector process;

  Family<Counter>& rpc_requests =
      Add<Counter>(registry, "rpc_requests_total", "RPCs that ended.");
  Family<Histogram>& rpc_duration = Add<Histogram>(
      registry, "rpc_duration_seconds", "Time from the call to its status.");
  Family<Gauge>& rpc_in_flight =
      Add<Gauge>(registry, "rpc_in_flight", "RPCs that run.");
  std::map<std::string, RpcMetrics> methods;

  Gauge& queue_depth =
      Add<Gauge>(registry, "queue_depth", "Sequences that wait for a slot.")
          .Add({});
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
  Gauge& slots_in_use =
      Add<Gauge>(registry, "kv_slots_in_use", "KV slots that are taken.")
          .Add({});
  Gauge& slots = Add<Gauge>(registry, "kv_slots", "KV slots.").Add({});
  Histogram& cancel_to_free =
      Add<Histogram>(registry, "cancel_to_free_seconds",
                     "Time from a client's cancellation to the free slot.")
          .Add({}, kFreeSeconds);

  Family<Counter>& top = Add<Counter>(registry, "concept_top_total",
                                      "Prompts by the concept that is on top.");
  Family<Histogram>& activation_ratio = Add<Histogram>(
      registry, "slot_activation_ratio",
      "Slot value at the last prompt token over its calibrated mean.");

  std::map<InterventionMode, Counter*> steering;
  Histogram& steering_norm_ratio =
      Add<Histogram>(registry, "steering_norm_ratio",
                     "Norm of a change over the norm of the residual.")
          .Add({}, kNormRatio);

  Probes probes;  // Asked by Probe().
  Gauge& call_memory =
      Add<Gauge>(registry, "call_memory_bytes",
                 "What calls hold of --call-memory-mib, as estimated.")
          .Add({});
  Counter& log_dropped = Add<Counter>(registry, "log_lines_dropped_total",
                                      "Log lines that nobody read in time.")
                             .Add({});
  void Probe();

  Family<Gauge>& checkpoint_info =
      Add<Gauge>(registry, "checkpoint_info", "Loaded checkpoints, 1 each.");
  Family<Gauge>& build_info =
      Add<Gauge>(registry, "build_info", "This server, 1.");

  Mutex mutex;  // Of SetCatalog and Probe.
  // Checkpoint and concept of every label that was given.
  std::set<std::pair<std::string, std::string>> labels ABSL_GUARDED_BY(mutex);
  // Rows of checkpoint_info, and how many generations have them.
  std::map<Gauge*, int> loaded ABSL_GUARDED_BY(mutex);
};

class Metrics::CatalogMetrics final : public ConceptMetrics {
 public:
  CatalogMetrics(Impl* impl, const Catalog& catalog, int kv_slots)
      : impl_(impl) {
    MutexLock lock(&impl_->mutex);
    impl_->slots.Set(kv_slots);
    for (const CheckpointInfo& checkpoint : catalog.checkpoints) {
      checkpoints_.push_back(impl_->SeriesOf(checkpoint));
      Gauge& info = impl_->checkpoint_info.Add(
          {{"name", checkpoint.name},
           {"version", catalog.model.version},
           {"sha256", checkpoint.sha256.substr(0, kHashDigits)}});
      info.Set(1);
      ++impl_->loaded[&info];
      loaded_.push_back(&info);
    }
  }
  ~CatalogMetrics() override {
    MutexLock lock(&impl_->mutex);
    for (Gauge* info : loaded_) {
      if (--impl_->loaded[info] > 0) continue;
      impl_->loaded.erase(info);
      impl_->checkpoint_info.Remove(info);
    }
  }

  void CountTop(int checkpoint, int concept_index) override {
    const CheckpointSeries& series = checkpoints_[checkpoint];
    (concept_index < 0 ? series.none : series.concepts[concept_index].top)
        ->Increment();
  }
  void ObserveActivationRatio(int checkpoint, int concept_index,
                              double ratio) override {
    if (!std::isfinite(ratio)) return;
    checkpoints_[checkpoint].concepts[concept_index].ratio->Observe(ratio);
  }

 private:
  Impl* const impl_;
  std::vector<CheckpointSeries> checkpoints_;
  std::vector<Gauge*> loaded_;
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
  for (InterventionMode mode : kInterventionModes) {
    const std::string name(InterventionModeName(mode));
    steering[mode] = &modes.Add({{"mode", name}});
  }
}

std::string Metrics::Impl::LabelOf(const std::string& checkpoint,
                                   const std::string& name) {
  const std::pair<std::string, std::string> label(checkpoint, name);
  if (labels.count(label) > 0) return name;
  if (labels.size() >= kMaxConceptLabels) return kOther;
  labels.insert(label);
  return name;
}

CheckpointSeries Metrics::Impl::SeriesOf(const CheckpointInfo& checkpoint) {
  CheckpointSeries series;
  series.none = &top.Add({{"checkpoint", checkpoint.name}, {"concept", kNone}});
  for (const Concept& entry : checkpoint.concepts) {
    const Labels of = {{"checkpoint", checkpoint.name},
                       {"concept", LabelOf(checkpoint.name, entry.name)}};
    series.concepts.push_back(
        {&top.Add(of), &activation_ratio.Add(of, kRatio)});
  }
  return series;
}

Metrics::Metrics(const std::vector<std::string>& methods,
                 const std::string& version)
    : impl_(std::make_unique<Impl>()) {
  impl_->build_info.Add({{"name", "alignsae-server"}, {"version", version}})
      .Set(1);
  std::vector<std::string> all = methods;
  all.push_back(kOther);
  for (const std::string& method : all) {
    const Labels labels = {{"method", method}};
    impl_->methods[method] = {&impl_->rpc_duration.Add(labels, kRpcSeconds),
                              &impl_->rpc_in_flight.Add(labels)};
    impl_->rpc_requests.Add({{"method", method}, {"code", "OK"}});
  }
}

Metrics::~Metrics() = default;

std::unique_ptr<ConceptMetrics> Metrics::SetCatalog(const Catalog& catalog,
                                                    int kv_slots) {
  return std::make_unique<CatalogMetrics>(impl_.get(), catalog, kv_slots);
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
    const auto dropped = static_cast<double>(probes.log_lines_dropped());
    log_dropped.Increment(std::max(0.0, dropped - log_dropped.Value()));
  }
}

void Metrics::SetProbes(Probes probes) { impl_->probes = std::move(probes); }

void Metrics::RpcStarted(absl::string_view method) {
  auto it = impl_->methods.find(std::string(method));
  if (it == impl_->methods.end()) it = impl_->methods.find(kOther);
  it->second.in_flight->Increment();
}

void Metrics::RpcFinished(absl::string_view method, absl::string_view code,
                          absl::Duration took) {
  auto it = impl_->methods.find(std::string(method));
  if (it == impl_->methods.end()) it = impl_->methods.find(kOther);
  it->second.in_flight->Decrement();
  it->second.duration->Observe(absl::ToDoubleSeconds(took));
  impl_->rpc_requests.Add({{"method", it->first}, {"code", std::string(code)}})
      .Increment();
}

void Metrics::SetQueueDepth(int sequences) {
  impl_->queue_depth.Set(sequences);
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

void Metrics::SetSlotsInUse(int slots) { impl_->slots_in_use.Set(slots); }

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

void Metrics::ObserveSteeringNormRatio(double ratio) {
  if (std::isfinite(ratio)) impl_->steering_norm_ratio.Observe(ratio);
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
