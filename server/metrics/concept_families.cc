#include "server/metrics/concept_families.h"

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/metrics/family.h"
#include "server/metrics/metrics.h"
#include "server/metrics/stored_figures.h"

namespace alignsae {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using Buckets = Histogram::BucketBoundaries;

constexpr char kNone[] = "none";
constexpr size_t kHashDigits = 12;

const Buckets kProbability = {.1, .25, .5, .75, .9, .99};

// Different for different names, and never a word that has its own meaning.
std::string EscapedLabel(const std::string& name) {
  absl::string_view rest = name;
  while (absl::ConsumePrefix(&rest, "#")) {
  }
  return rest == kNone || rest == family::kOther ? absl::StrCat("#", name)
                                                 : name;
}

ConceptActivity ActivityOf(const std::string& label, const Counter& top,
                           const Histogram& ratio) {
  ConceptActivity activity;
  activity.label = label;
  activity.top = static_cast<int64_t>(top.Value());
  const prometheus::ClientMetric::Histogram counted = ratio.Collect().histogram;
  activity.count = static_cast<int64_t>(counted.sample_count);
  activity.ratio_sum = counted.sample_sum;
  uint64_t below = 0;
  for (const prometheus::ClientMetric::Bucket& bucket : counted.bucket) {
    activity.ratio_counts.push_back(
        static_cast<int64_t>(bucket.cumulative_count - below));
    below = bucket.cumulative_count;
  }
  return activity;
}

}  // namespace

class ConceptFamilies::OfCatalog final : public ConceptMetrics {
 public:
  OfCatalog(ConceptFamilies* families, const Catalog& catalog)
      : families_(families) {
    MutexLock lock(&families_->mutex_);
    families_->HoldWeightTypes(catalog.model, held_);
    for (const CheckpointInfo& info : catalog.checkpoints) {
      Checkpoint& added = checkpoints_.emplace_back();
      added.name = info.name;
      added.none = families_->SeriesOf(info.name, kNone, false);
      if (info.has_gate) {
        added.outside = &families_->outside_.Add({{"checkpoint", info.name}});
      }
      for (const Concept& entry : info.concepts) {
        added.labels.push_back(families_->LabelOf(info.name, entry.name));
        added.concepts.push_back(
            families_->SeriesOf(info.name, added.labels.back(), true));
      }
      families_->Hold(families_->info_,
                      {{"name", info.name},
                       {"version", catalog.model.version},
                       {"sha256", info.sha256.substr(0, kHashDigits)}},
                      1, held_);
      const std::map<std::string, double> shares =
          families_->HoldFigures(info, added.labels, held_);
      if (!added.labels.empty()) {
        families_->told_[info.name] = {added.none,
                                       added.outside,
                                       WithLabels(added),
                                       {shares.begin(), shares.end()}};
      }
    }
  }
  ~OfCatalog() override { families_->Release(held_); }

  void CountTop(int checkpoint, int top) override {
    SeriesAt(checkpoint, top).top->Increment();
  }
  void CountOutside(int checkpoint) override {
    if (Counter* const outside = checkpoints_[checkpoint].outside) {
      outside->Increment();
    }
  }
  void ObserveConfidence(int checkpoint, int top, double probability,
                         double margin) override {
    const Series& series = SeriesAt(checkpoint, top);
    if (std::isfinite(probability)) series.confidence->Observe(probability);
    if (std::isfinite(margin)) series.margin->Observe(margin);
  }
  void ObserveActivationRatio(int checkpoint, int concept_index,
                              double ratio) override {
    if (!std::isfinite(ratio)) return;
    SeriesAt(checkpoint, concept_index).ratio->Observe(ratio);
  }
  void CountGenerated(int checkpoint, int top) override {
    SeriesAt(checkpoint, top).generated->Increment();
  }
  void CountSteered(int checkpoint, int source, int target) override {
    const Checkpoint& of = checkpoints_[checkpoint];
    families_->Steered(of.name, LabelAt(of, source), LabelAt(of, target))
        .Increment();
  }

 private:
  struct Checkpoint {
    std::string name;
    Series none;
    Counter* outside = nullptr;
    std::vector<Series> concepts;
    std::vector<std::string> labels;
  };
  // Each label once: several concepts may be `other`.
  static std::vector<std::pair<std::string, Series>> WithLabels(
      const Checkpoint& of) {
    std::vector<std::pair<std::string, Series>> all;
    std::set<std::string> seen;
    for (size_t i = 0; i < of.labels.size(); ++i) {
      if (!seen.insert(of.labels[i]).second) continue;
      all.emplace_back(of.labels[i], of.concepts[i]);
    }
    return all;
  }
  const Series& SeriesAt(int checkpoint, int index) const {
    const Checkpoint& of = checkpoints_[checkpoint];
    return index == kNoConcept ? of.none : of.concepts[index];
  }
  static std::string LabelAt(const Checkpoint& of, int index) {
    if (index == kNoConcept) return kNone;
    return index == kOtherSlot ? family::kOther : of.labels[index];
  }

  ConceptFamilies* const families_;
  std::vector<Checkpoint> checkpoints_;
  std::vector<Held> held_;
};

ConceptFamilies::ConceptFamilies(prometheus::Registry* registry)
    : top_(family::Add<Counter>(*registry, "concept_top_total",
                                "Prompts by the concept that is on top.")),
      outside_(family::Add<Counter>(
          *registry, "concept_outside_total",
          "Prompts outside of what the checkpoint knows, bound or not.")),
      generated_(family::Add<Counter>(
          *registry, "generated_concept_total",
          "Traced generated tokens by the concept that is on top.")),
      confidence_(family::Add<Histogram>(
          *registry, "concept_confidence",
          "Probability of the top concept at the last prompt token.")),
      margin_(family::Add<Histogram>(
          *registry, "concept_margin",
          "Probability of the top concept minus the runner-up's.")),
      ratio_(family::Add<Histogram>(
          *registry, "slot_activation_ratio",
          "Slot value at the last prompt token over its calibrated mean.")),
      steered_(family::Add<Counter>(
          *registry, "steering_concept_total",
          "Interventions that met a position, by what they clear and write.")),
      info_(family::Add<Gauge>(*registry, "checkpoint_info",
                               "Loaded checkpoints, 1 each.")),
      evaluation_(family::Add<Gauge>(
          *registry, "checkpoint_evaluation",
          "Figures of the bundle's stored evaluation, on test prompts.")),
      reference_share_(family::Add<Gauge>(
          *registry, "concept_reference_share",
          "Share of the evaluation's test prompts by their top concept.")),
      weight_type_(
          family::Add<Gauge>(*registry, "weight_type_info",
                             "Number type that a model's weights have, 1.")),
      weight_type_kl_(family::Add<Gauge>(
          *registry, "weight_type_kl",
          "KL from f32 to a number type that was tried, on fixed texts.")),
      weight_type_top1_(family::Add<Gauge>(
          *registry, "weight_type_top1",
          "Share of positions with f32's most likely token, the same texts.")),
      prepared_weights_(family::Add<Gauge>(
          *registry, "prepared_weights_info",
          "What became of a model's kept prepared weights at its load, 1.")),
      active_mean_(family::Add<Gauge>(
          *registry, "concept_active_mean",
          "Calibrated mean of the slot where its concept is asked.")),
      threshold_(family::Add<Gauge>(
          *registry, "concept_threshold",
          "Slot value from which the concept counts as bound.")),
      written_share_(family::Add<Gauge>(
          *registry, "concept_written_share",
          "Share of the concept's difference that the slots write: "
          "certificate.")),
      measured_swap_(family::Add<Gauge>(
          *registry, "concept_measured_swap",
          "Share of swaps to the concept that succeeded: certificate.")) {}

std::unique_ptr<ConceptMetrics> ConceptFamilies::ForCatalog(
    const Catalog& catalog) {
  return std::make_unique<OfCatalog>(this, catalog);
}

std::string ConceptFamilies::LabelOf(const std::string& checkpoint,
                                     const std::string& name) {
  const std::pair<std::string, std::string> label(checkpoint, name);
  if (labels_.count(label) > 0) return EscapedLabel(name);
  if (labels_.size() >= kMaxConceptLabels) return family::kOther;
  labels_.insert(label);
  return EscapedLabel(name);
}

ConceptFamilies::Series ConceptFamilies::SeriesOf(const std::string& checkpoint,
                                                  const std::string& label,
                                                  bool is_concept) {
  const Labels of = {{"checkpoint", checkpoint}, {"concept", label}};
  Series series;
  series.top = &top_.Add(of);
  series.generated = &generated_.Add(of);
  series.confidence = &confidence_.Add(of, kProbability);
  series.margin = &margin_.Add(of, kProbability);
  if (is_concept) series.ratio = &ratio_.Add(of, ActivationRatioBounds());
  return series;
}

Counter& ConceptFamilies::Steered(const std::string& checkpoint,
                                  const std::string& source,
                                  const std::string& target) {
  MutexLock lock(&mutex_);
  std::vector<std::string> pair = {checkpoint, source, target};
  if (pairs_.count(pair) == 0 && pairs_.size() >= kMaxSteeringPairs) {
    pair = {checkpoint, family::kOther, family::kOther};
  }
  Counter*& counter = pairs_[pair];
  if (counter == nullptr) {
    counter = &steered_.Add(
        {{"checkpoint", pair[0]}, {"source", pair[1]}, {"target", pair[2]}});
  }
  return *counter;
}

std::vector<CheckpointActivity> ConceptFamilies::Activity() {
  MutexLock lock(&mutex_);
  std::vector<CheckpointActivity> all;
  std::map<std::string, SlotActivity*> by_name;
  all.reserve(told_.size());
  for (const auto& [checkpoint, told] : told_) {
    CheckpointActivity& one = all.emplace_back();
    one.checkpoint = checkpoint;
    one.reference = told.reference;
    one.total.unbound = static_cast<int64_t>(told.none.top->Value());
    if (told.outside != nullptr) {
      one.total.outside = static_cast<int64_t>(told.outside->Value());
    }
    for (const auto& [label, series] : told.concepts) {
      one.total.concepts.push_back(
          ActivityOf(label, *series.top, *series.ratio));
    }
    by_name[checkpoint] = &one.total;
  }
  for (const auto& [pair, counter] : pairs_) {
    const auto found = by_name.find(pair[0]);
    if (found == by_name.end()) continue;
    found->second->steered.push_back(
        {pair[1], pair[2], static_cast<int64_t>(counter->Value())});
  }
  return all;
}

void ConceptFamilies::Hold(Family<Gauge>& family, const Labels& labels,
                           double value, std::vector<Held>& held) {
  Gauge& gauge = family.Add(labels);
  gauge.Set(value);
  ++holders_[&gauge];
  held.push_back({&family, &gauge});
}

void ConceptFamilies::HoldWeightTypes(const ModelInfo& model,
                                      std::vector<Held>& held) {
  Hold(weight_type_, {{"model", model.name}, {"type", model.weight_type}}, 1,
       held);
  for (const PreparedWeights& prepared : model.prepared) {
    Hold(prepared_weights_,
         {{"model", model.name},
          {"type", prepared.type},
          {"result", PreparedResultName(prepared.result)}},
         1, held);
  }
  for (const TypeMeasurement& measured : model.type_measurements) {
    const Labels of = {{"model", model.name}, {"type", measured.type}};
    Hold(weight_type_kl_, of, measured.kl, held);
    Hold(weight_type_top1_, of, measured.top1, held);
  }
}

std::map<std::string, double> ConceptFamilies::HoldFigures(
    const CheckpointInfo& checkpoint, const std::vector<std::string>& labels,
    std::vector<Held>& held) {
  const StoredFigures stored = ReadStoredFigures(checkpoint.evaluation_json);
  for (const auto& [figure, value] : stored.figures) {
    Hold(evaluation_, {{"checkpoint", checkpoint.name}, {"figure", figure}},
         value, held);
  }
  std::map<std::string, double> shares;  // By label.
  if (!stored.top_shares.empty()) shares[kNone] = stored.none_share;
  for (size_t i = 0; i < labels.size(); ++i) {
    const Concept& entry = checkpoint.concepts[i];
    if (!stored.top_shares.empty()) {
      const auto share = stored.top_shares.find(entry.name);
      shares[labels[i]] += share == stored.top_shares.end() ? 0 : share->second;
    }
    if (labels[i] == family::kOther) continue;
    const Labels of = {{"checkpoint", checkpoint.name}, {"concept", labels[i]}};
    Hold(active_mean_, of, entry.active_mean, held);
    Hold(threshold_, of, entry.threshold, held);
    if (!entry.certificate) continue;
    Hold(written_share_, of, entry.certificate->written_share, held);
    if (const auto& swap = entry.certificate->measured_swap; swap) {
      Hold(measured_swap_, of, swap->rate, held);
    }
  }
  for (const auto& [label, share] : shares) {
    Hold(reference_share_,
         {{"checkpoint", checkpoint.name}, {"concept", label}}, share, held);
  }
  return shares;
}

void ConceptFamilies::Release(const std::vector<Held>& held) {
  MutexLock lock(&mutex_);
  for (const Held& each : held) {
    if (--holders_[each.gauge] > 0) continue;
    holders_.erase(each.gauge);
    each.family->Remove(each.gauge);
  }
}

}  // namespace alignsae
