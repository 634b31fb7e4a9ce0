// Requests for tests of what waits: only their shape matters. And KV caches.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_TESTS_SCHEDULER_QUEUE_SPECS_H_
#define ALIGNSAE_TESTS_SCHEDULER_QUEUE_SPECS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/scheduler/request_queue.h"
#include "tests/support/recording_sink.h"

namespace alignsae {

// So many, of which each may be of any length.
inline KvAmount Slots(int count) { return {count, count * int64_t{1000000}}; }

inline RequestSpec Spec(int sequences, int prompt, int max_new_tokens,
                        Grouping grouping = Grouping::kSeparate,
                        std::string client = "") {
  RequestSpec spec;
  spec.grouping = grouping;
  spec.client = std::move(client);
  for (int i = 0; i < sequences; ++i) {
    SequenceSpec sequence;
    sequence.prompt.assign(prompt, 1);
    sequence.max_new_tokens = max_new_tokens;
    sequence.interventions = std::make_shared<std::vector<Intervention>>();
    spec.sequences.push_back(std::move(sequence));
  }
  return spec;
}

// One sequence of `tokens` tokens, 2 or more.
inline RequestSpec Single(std::string client, int tokens = 10) {
  return Spec(1, tokens - 1, 1, Grouping::kSeparate, std::move(client));
}

inline std::shared_ptr<ActiveRequest> Request(RequestSpec spec) {
  return std::make_shared<ActiveRequest>(std::move(spec),
                                         std::make_shared<RecordingSink>(),
                                         absl::FromUnixSeconds(1));
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SCHEDULER_QUEUE_SPECS_H_
