// Load: what the calls of one load share, and how one of them is started.
//
// Thread-safety: Learn and set_begin before the first Start, from one thread;
// then Start and Note from any thread. A Load outlives its calls: whoever
// starts them waits for every `ended`.
// Errors: Learn: the server's; FAILED_PRECONDITION when it has no checkpoint
// of two concepts with an example.

#ifndef ALIGNSAE_CLIENT_LOAD_LOAD_H_
#define ALIGNSAE_CLIENT_LOAD_LOAD_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "alignsae/v1/concept_service.grpc.pb.h"
#include "alignsae/v1/model_service.grpc.pb.h"
#include "alignsae/v1/steering_service.grpc.pb.h"
#include "client/load/load_options.h"
#include "client/load/load_report.h"
#include "model/base/mutex.h"

namespace alignsae {

using LoadClock = std::chrono::steady_clock;

inline double Seconds(LoadClock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// A connection to each address of the target (client/lib/servers.h), which no
// other channel shares; calls take them in turn. Refusals are what is measured:
// none is hidden by trying again.
std::shared_ptr<grpc::Channel> NewConnection(const LoadOptions& options);

// The metadata with which a call says who asks; `client` as in LoadTurn.
void AddCaller(const LoadOptions& options, int client,
               grpc::ClientContext& context);

// What the calls are about, from the server itself.
struct LoadSubject {
  std::vector<std::string> questions;
  // With LoadOptions::shared_head: each question's prompt behind it.
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::string> concepts;
};

// One call's place in the load.
struct LoadTurn {
  uint64_t index = 0;
  int client = 0;             // Who calls, in [0, LoadOptions::clients).
  LoadClock::time_point due;  // When it was to begin.
};

class Load {
 public:
  explicit Load(const LoadOptions& options);

  // Asks the server for its concepts and their examples, and what their prompts
  // are.
  absl::Status Learn();

  // `ended` is called once, on a thread of gRPC.
  void Start(const LoadTurn& turn, std::function<void()> ended);

  // How a call ended. `whole`: an OK answer has all that was asked for.
  struct Ending {
    LoadClock::time_point first_token;  // The clock's epoch: none came.
    int tokens = 0;
    bool whole = false;
    grpc::Status status;
  };
  void Note(const std::string& rpc, const LoadTurn& turn, const Ending& ending)
      ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<LoadSample> TakeSamples() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return std::move(samples_);
  }
  void set_begin(LoadClock::time_point begin) { begin_ = begin; }
  const LoadOptions& options() const { return options_; }
  const LoadSubject& subject() const { return subject_; }
  v1::ModelService::Stub& model_stub(uint64_t index) {
    return *model_[index % model_.size()];
  }
  v1::ConceptService::Stub& concept_stub(uint64_t index) {
    return *concept_[index % concept_.size()];
  }
  v1::SteeringService::Stub& steering_stub(uint64_t index) {
    return *steering_[index % steering_.size()];
  }

 private:
  absl::Status AddSharedHead();

  const LoadOptions options_;
  LoadSubject subject_;
  LoadClock::time_point begin_;
  std::vector<std::unique_ptr<v1::ModelService::Stub>> model_;
  std::vector<std::unique_ptr<v1::ConceptService::Stub>> concept_;
  std::vector<std::unique_ptr<v1::SteeringService::Stub>> steering_;
  Mutex mutex_;
  std::vector<LoadSample> samples_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_LOAD_H_
