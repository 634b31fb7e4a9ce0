// ValidationTally: what a validation has counted, and its report.
//
// Thread-safety: not thread-safe.

#ifndef ALIGNSAE_SERVER_API_VALIDATION_TALLY_H_
#define ALIGNSAE_SERVER_API_VALIDATION_TALLY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "alignsae/v1/validation.pb.h"
#include "model/scheduler/request.h"
#include "model/steering/catalog.h"

namespace alignsae {

class ValidationTally {
 public:
  explicit ValidationTally(const CheckpointInfo& checkpoint);

  // A prompt that asks concept `asked`; negative: none.
  void CountReading(int asked, const ConceptReading& reading);
  // A swap to concept `target`.
  void CountSwap(int target, bool success);

  int readings() const { return readings_; }
  int swaps() const { return swaps_; }
  // Share of prompts with a concept that were read right; 0 without any.
  double read_rate() const;
  // All but the info.
  void Render(v1::ValidationReport* report) const;

 private:
  struct Count {
    int64_t tries = 0;
    int64_t successes = 0;
    void Add(bool success) {
      ++tries;
      successes += success ? 1 : 0;
    }
  };
  struct OfConcept {
    std::string name;
    Count told;
    Count swap;
    std::vector<int64_t> top;  // [R]
  };
  static void RenderShare(const Count& count, v1::MeasuredShare* share);

  const bool tells_outside_;
  int readings_ = 0;
  int swaps_ = 0;
  Count read_;
  Count abstention_;
  Count silent_right_;
  Count bound_wrong_;
  std::vector<OfConcept> concepts_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_VALIDATION_TALLY_H_
