#include "server/metrics/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <cmath>
#include <map>
#include <sstream>
#include <utility>

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

constexpr const char* kModes[] = {
    "ADD", "ADD_NORM_MATCHED", "SET", "MULTIPLY", "ABLATE", "SWAP", "REPLACE"};
constexpr const char* kRejectReasons[] = {"queue_full", "token_budget",
                                          "deadline", "draining", "starting"};

template <typename T>
Family<T>& Add(Registry& registry, const char* name, const char* help) {
  return prometheus::detail::Builder<T>()
      .Name(std::string(kPrefix) + name)
      .Help(help)
      .Register(registry);
}

// A family and its children, found by the value of one label.
template <typename T>
class Labelled {
 public:
  void Insert(const std::string& value, T& metric) {
    metrics_[value] = &metric;
  }
  // nullptr for a value outside the set.
  T* Find(absl::string_view value) const {
    const auto it = metrics_.find(std::string(value));
    return it == metrics_.end() ? nullptr : it->second;
  }

 private:
  std::map<std::string, T*> metrics_;
};

struct RpcMetrics {
  Histogram* duration = nullptr;
  Gauge* in_flight = nullptr;
};

// Metrics of one concept of one checkpoint.
struct ConceptMetrics {
  Counter* top = nullptr;
  Histogram* ratio = nullptr;
};
struct CheckpointMetrics {
  Counter* none = nullptr;
  std::vector<ConceptMetrics> concepts;
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

  Gauge& queue_depth =
      Add<Gauge>(registry, "queue_depth", "Sequences that wait for a slot.")
          .Add({});
  Histogram& queue_wait = Add<Histogram>(registry, "queue_wait_seconds",
                                         "Time from submission to a slot.")
                              .Add({}, kWaitSeconds);
  Labelled<Counter> rejected;

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
  std::vector<CheckpointMetrics> checkpoints;

  Labelled<Counter> steering;
  Histogram& steering_norm_ratio =
      Add<Histogram>(registry, "steering_norm_ratio",
                     "Norm of a change over the norm of the residual.")
          .Add({}, kNormRatio);

  Family<Gauge>& checkpoint_info =
      Add<Gauge>(registry, "checkpoint_info", "Loaded checkpoints, 1 each.");
  Family<Gauge>& build_info =
      Add<Gauge>(registry, "build_info", "This server, 1.");
};

Metrics::Impl::Impl() {
  Family<Counter>& rejections =
      Add<Counter>(registry, "rejected_total",
                   "Requests that were refused or dropped before they ran.");
  for (const char* reason : kRejectReasons) {
    rejected.Insert(reason, rejections.Add({{"reason", reason}}));
  }
  Family<Counter>& modes =
      Add<Counter>(registry, "steering_total", "Interventions that ran.");
  for (const char* mode : kModes) {
    steering.Insert(mode, modes.Add({{"mode", mode}}));
  }
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

void Metrics::SetCatalog(const Catalog& catalog, int kv_slots) {
  impl_->slots.Set(kv_slots);
  int labels_left = kMaxConceptLabels;
  for (const CheckpointInfo& checkpoint : catalog.checkpoints) {
    CheckpointMetrics metrics;
    metrics.none =
        &impl_->top.Add({{"checkpoint", checkpoint.name}, {"concept", kNone}});
    for (const ConceptInfo& entry : checkpoint.concepts) {
      const std::string name = labels_left-- > 0 ? entry.name : kOther;
      const Labels labels = {{"checkpoint", checkpoint.name},
                             {"concept", name}};
      metrics.concepts.push_back(
          {&impl_->top.Add(labels),
           &impl_->activation_ratio.Add(labels, kRatio)});
    }
    impl_->checkpoints.push_back(std::move(metrics));
    impl_->checkpoint_info
        .Add({{"name", checkpoint.name},
              {"version", catalog.model.version},
              {"sha256", checkpoint.sha256.substr(0, kHashDigits)}})
        .Set(1);
  }
}

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

void Metrics::CountRejected(absl::string_view reason) {
  if (Counter* counter = impl_->rejected.Find(reason)) counter->Increment();
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

void Metrics::CountTopConcept(int checkpoint, int concept_index) {
  const CheckpointMetrics& metrics = impl_->checkpoints[checkpoint];
  (concept_index < 0 ? metrics.none : metrics.concepts[concept_index].top)
      ->Increment();
}

void Metrics::ObserveActivationRatio(int checkpoint, int concept_index,
                                     double ratio) {
  if (!std::isfinite(ratio)) return;
  impl_->checkpoints[checkpoint].concepts[concept_index].ratio->Observe(ratio);
}

void Metrics::CountSteering(absl::string_view mode) {
  if (Counter* counter = impl_->steering.Find(mode)) counter->Increment();
}

void Metrics::ObserveSteeringNormRatio(double ratio) {
  if (std::isfinite(ratio)) impl_->steering_norm_ratio.Observe(ratio);
}

std::string Metrics::ExpositionText() const {
  std::ostringstream text;
  std::vector<prometheus::MetricFamily> families = impl_->registry.Collect();
  for (prometheus::MetricFamily& family : impl_->process.Collect()) {
    families.push_back(std::move(family));
  }
  prometheus::TextSerializer().Serialize(text, families);
  return text.str();
}

}  // namespace alignsae
