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
      queue_tokens_(Add<Gauge>(*registry, "queue_tokens",
                               "Tokens of sequences that wait: prompts and "
                               "max_new_tokens.")
                        .Add({})),
      slots_in_use_(
          Add<Gauge>(*registry, "kv_slots_in_use", "KV slots that are taken.")
              .Add({})),
      slots_(Add<Gauge>(*registry, "kv_slots", "KV slots.").Add({})),
      tokens_in_use_(Add<Gauge>(*registry, "kv_tokens_in_use",
                                "Tokens of the KV cache that what runs may "
                                "fill: prompts and max_new_tokens.")
                         .Add({})),
      tokens_(Add<Gauge>(*registry, "kv_tokens",
                         "Tokens that the KV cache holds at once.")
                  .Add({})),
      queue_of_(Add<Gauge>(*registry, "model_queue_depth",
                           "Sequences that wait for a slot of the model.")),
      slots_of_(Add<Gauge>(*registry, "model_kv_slots_in_use",
                           "KV slots of the model that are taken.")),
      tokens_of_(Add<Gauge>(*registry, "model_kv_tokens_in_use",
                            "Tokens of the model's KV cache that what runs "
                            "may fill.")),
      prefix_prompts_(Add<Counter>(
          *registry, "prefix_cache_prompts_total",
          "Prompts whose beginning was there (hit), was not (miss), or could "
          "not be used (barred: short, or edited, read or scored near the "
          "beginning).")),
      prefix_saved_(
          Add<Counter>(*registry, "prefix_cache_tokens_saved_total",
                       "Prompt tokens that hits did not compute again.")),
      prefix_evictions_(
          Add<Counter>(*registry, "prefix_cache_evictions_total",
                       "Beginnings given up for a request or for others.")),
      prefix_tokens_(Add<Gauge>(
          *registry, "prefix_cache_tokens",
          "Tokens of beginnings that free KV slots of the model keep.")) {}

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

void GenerationMetrics::AddQueuedTokens(int64_t tokens) {
  queue_tokens_.Increment(static_cast<double>(tokens));
}

void GenerationMetrics::AddSlotsInUse(const std::string& model, int slots) {
  slots_in_use_.Increment(slots);
  slots_of_.Add({{"model", model}}).Increment(slots);
}

void GenerationMetrics::AddSlots(int slots) { slots_.Increment(slots); }

void GenerationMetrics::AddTokensInUse(const std::string& model,
                                       int64_t tokens) {
  tokens_in_use_.Increment(static_cast<double>(tokens));
  tokens_of_.Add({{"model", model}}).Increment(static_cast<double>(tokens));
}

void GenerationMetrics::AddTokens(int64_t tokens) {
  tokens_.Increment(static_cast<double>(tokens));
}

void GenerationMetrics::CountPrefixes(const std::string& model,
                                      const PrefixCounts& counts) {
  const auto prompts = [&](const char* result, int count) {
    prefix_prompts_.Add({{"model", model}, {"result", result}})
        .Increment(count);
  };
  prompts("hit", counts.hits);
  prompts("miss", counts.misses);
  prompts("barred", counts.barred);
  prefix_saved_.Add({{"model", model}})
      .Increment(static_cast<double>(counts.tokens_saved));
  prefix_evictions_.Add({{"model", model}}).Increment(counts.evictions);
}

void GenerationMetrics::AddPrefixTokens(const std::string& model,
                                        int64_t tokens) {
  prefix_tokens_.Add({{"model", model}}).Increment(static_cast<double>(tokens));
}

}  // namespace alignsae
