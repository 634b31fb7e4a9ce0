#include "server/metrics/generation_metrics.h"

#include "absl/strings/str_cat.h"
#include "server/metrics/family.h"

namespace alignsae {

using family::Add;
using prometheus::Counter;
using prometheus::Gauge;

GenerationMetrics::GenerationMetrics(prometheus::Registry* registry)
    : states_(
          Add<Gauge>(*registry, "generation_state_seconds",
                     "When a generation came to its state, since the epoch.")),
      loads_(Add<Counter>(*registry, "model_loads_total",
                          "Generations that were to be loaded, by result.")),
      shadow_readings_(
          Add<Counter>(*registry, "shadow_readings_total",
                       "Prompts that the default checkpoint and a shadow have "
                       "read.")),
      shadow_disagreement_(
          Add<Counter>(*registry, "shadow_disagreement_total",
                       "Those on which the bound top concepts differ.")),
      queue_depth_(Add<Gauge>(*registry, "queue_depth",
                              "Sequences that wait for a slot.")
                       .Add({})),
      slots_in_use_(
          Add<Gauge>(*registry, "kv_slots_in_use", "KV slots that are taken.")
              .Add({})),
      slots_(Add<Gauge>(*registry, "kv_slots", "KV slots.").Add({})),
      queue_of_(Add<Gauge>(*registry, "model_queue_depth",
                           "Sequences that wait for a slot of the model.")),
      slots_of_(Add<Gauge>(*registry, "model_kv_slots_in_use",
                           "KV slots of the model that are taken.")) {}

void GenerationMetrics::Entered(const std::string& model, uint64_t generation,
                                absl::string_view state, absl::Time since) {
  MutexLock lock(&mutex_);
  const auto [at, is_new] =
      current_.emplace(std::make_pair(model, generation), nullptr);
  if (!is_new) states_.Remove(at->second);
  if (state.empty()) {
    current_.erase(at);
    return;
  }
  at->second = &states_.Add({{"model", model},
                             {"generation", absl::StrCat(generation)},
                             {"state", std::string(state)}});
  at->second->Set(absl::ToDoubleSeconds(since - absl::UnixEpoch()));
}

void GenerationMetrics::CountLoad(const std::string& model,
                                  absl::string_view result) {
  loads_.Add({{"model", model}, {"result", std::string(result)}}).Increment();
}

void GenerationMetrics::CountShadow(const std::string& model,
                                    const std::string& shadow, bool disagrees) {
  const prometheus::Labels labels = {{"model", model}, {"checkpoint", shadow}};
  shadow_readings_.Add(labels).Increment();
  shadow_disagreement_.Add(labels).Increment(disagrees ? 1 : 0);
}

void GenerationMetrics::AddQueued(const std::string& model, int sequences) {
  queue_depth_.Increment(sequences);
  queue_of_.Add({{"model", model}}).Increment(sequences);
}

void GenerationMetrics::AddSlotsInUse(const std::string& model, int slots) {
  slots_in_use_.Increment(slots);
  slots_of_.Add({{"model", model}}).Increment(slots);
}

void GenerationMetrics::AddSlots(int slots) { slots_.Increment(slots); }

}  // namespace alignsae
