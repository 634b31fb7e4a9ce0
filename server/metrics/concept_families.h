// ConceptFamilies: every metric that is labelled by checkpoint and concept, and
// the labels themselves.
//
// A label is the concept's own name. `none` and `other` mean something else; a
// concept of such a name, or of one with `#` in front, gets one more `#`.
//
// What a bundle says of its checkpoints is told by gauges that stay as long as
// some generation with that checkpoint does.
//
// Thread-safety: thread-safe. What ForCatalog gives must not outlive it.

#ifndef ALIGNSAE_SERVER_METRICS_CONCEPT_FAMILIES_H_
#define ALIGNSAE_SERVER_METRICS_CONCEPT_FAMILIES_H_

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "model/steering/catalog.h"
#include "server/metrics/concept_metrics.h"
#include "server/metrics/slot_activity.h"

namespace alignsae {

class ConceptFamilies {
 public:
  explicit ConceptFamilies(prometheus::Registry* registry);
  ConceptFamilies(const ConceptFamilies&) = delete;
  ConceptFamilies& operator=(const ConceptFamilies&) = delete;

  std::unique_ptr<ConceptMetrics> ForCatalog(const Catalog& catalog);
  // What has been counted, of every checkpoint that ever was loaded and has
  // concepts, by name.
  std::vector<CheckpointActivity> Activity() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class OfCatalog;
  // Counters and histograms of one label of one checkpoint.
  struct Series {
    prometheus::Counter* top = nullptr;
    prometheus::Counter* generated = nullptr;
    prometheus::Histogram* confidence = nullptr;
    prometheus::Histogram* margin = nullptr;
    prometheus::Histogram* ratio = nullptr;  // Of concepts.
  };
  // What Activity tells of a checkpoint: its labels in the catalog's order, and
  // what its newest generation says of it.
  struct Told {
    Series none;
    prometheus::Counter* outside = nullptr;  // Null: it has no gate.
    std::vector<std::pair<std::string, Series>> concepts;
    std::vector<std::pair<std::string, double>> reference;
  };
  struct Held {
    prometheus::Family<prometheus::Gauge>* family = nullptr;
    prometheus::Gauge* gauge = nullptr;
  };

  // The label of a concept, or `other` when there are too many.
  std::string LabelOf(const std::string& checkpoint, const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Series SeriesOf(const std::string& checkpoint, const std::string& label,
                  bool is_concept);
  prometheus::Counter& Steered(const std::string& checkpoint,
                               const std::string& source,
                               const std::string& target)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Gauges of what is loaded, counted by the generations that hold them.
  void Hold(prometheus::Family<prometheus::Gauge>& family,
            const prometheus::Labels& labels, double value,
            std::vector<Held>& held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HoldWeightTypes(const ModelInfo& model, std::vector<Held>& held)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `labels[i]` is concept i's. Gives the reference shares by label.
  std::map<std::string, double> HoldFigures(
      const CheckpointInfo& checkpoint, const std::vector<std::string>& labels,
      std::vector<Held>& held) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const std::vector<Held>& held) ABSL_LOCKS_EXCLUDED(mutex_);

  prometheus::Family<prometheus::Counter>& top_;
  prometheus::Family<prometheus::Counter>& outside_;
  prometheus::Family<prometheus::Counter>& generated_;
  prometheus::Family<prometheus::Histogram>& confidence_;
  prometheus::Family<prometheus::Histogram>& margin_;
  prometheus::Family<prometheus::Histogram>& ratio_;
  prometheus::Family<prometheus::Counter>& steered_;
  prometheus::Family<prometheus::Gauge>& info_;
  prometheus::Family<prometheus::Gauge>& evaluation_;
  prometheus::Family<prometheus::Gauge>& reference_share_;
  prometheus::Family<prometheus::Gauge>& weight_type_;
  prometheus::Family<prometheus::Gauge>& weight_type_kl_;
  prometheus::Family<prometheus::Gauge>& weight_type_top1_;
  prometheus::Family<prometheus::Gauge>& prepared_weights_;
  prometheus::Family<prometheus::Gauge>& active_mean_;
  prometheus::Family<prometheus::Gauge>& threshold_;
  // Of write certificates.
  prometheus::Family<prometheus::Gauge>& written_share_;
  prometheus::Family<prometheus::Gauge>& measured_swap_;

  Mutex mutex_;
  // Checkpoint and concept of every label that was given.
  std::set<std::pair<std::string, std::string>> labels_ ABSL_GUARDED_BY(mutex_);
  // By checkpoint, source and target.
  std::map<std::vector<std::string>, prometheus::Counter*> pairs_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Told> told_ ABSL_GUARDED_BY(mutex_);
  std::map<prometheus::Gauge*, int> holders_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_CONCEPT_FAMILIES_H_
