// ProcessCollector: the process_* metrics of Prometheus's own client libraries,
// read from /proc/self at every scrape.
//
// Thread-safety: thread-safe. A value that cannot be read is left out.

#ifndef ALIGNSAE_SERVER_METRICS_PROCESS_COLLECTOR_H_
#define ALIGNSAE_SERVER_METRICS_PROCESS_COLLECTOR_H_

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace alignsae {

class ProcessCollector : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_METRICS_PROCESS_COLLECTOR_H_
