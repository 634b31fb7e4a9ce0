// RecordingSink: keeps every event of a request, and fails the test when one
// comes after the last.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_TESTS_SUPPORT_RECORDING_SINK_H_
#define ALIGNSAE_TESTS_SUPPORT_RECORDING_SINK_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"
#include "model/scheduler/request.h"

namespace alignsae {

class RecordingSink : public RequestSink {
 public:
  bool Deliver(RequestEvent event) override {
    MutexLock lock(&mutex_);
    EXPECT_FALSE(done_.has_value()) << "an event after RequestDone";
    if (auto* token = std::get_if<TokenEvent>(&event)) {
      tokens_.push_back(std::move(*token));
      return tokens_.size() < accept_tokens;
    }
    if (auto* prompt = std::get_if<PromptEvent>(&event)) {
      prompts_.push_back(std::move(*prompt));
    } else if (auto* trace = std::get_if<TraceEvent>(&event)) {
      traces_.push_back(std::move(*trace));
    } else if (auto* finished = std::get_if<SequenceFinished>(&event)) {
      finished_.push_back(std::move(*finished));
    } else {
      done_ = std::get<RequestDone>(event).status;
      changed_.NotifyAll();
    }
    return true;
  }
  bool IsStalled(absl::Time now) const override { return stalled; }

  // The sink says "too slow" from this token on.
  size_t accept_tokens = SIZE_MAX;
  bool stalled = false;

  std::vector<TokenEvent> tokens() const {
    MutexLock lock(&mutex_);
    return tokens_;
  }
  std::vector<PromptEvent> prompts() const {
    MutexLock lock(&mutex_);
    return prompts_;
  }
  std::vector<TraceEvent> traces() const {
    MutexLock lock(&mutex_);
    return traces_;
  }
  std::vector<SequenceFinished> finished() const {
    MutexLock lock(&mutex_);
    return finished_;
  }
  // Nullopt until the end.
  std::optional<absl::Status> done() const {
    MutexLock lock(&mutex_);
    return done_;
  }
  void WaitUntilDone() const {
    MutexLock lock(&mutex_);
    while (!done_.has_value()) changed_.Wait(&mutex_);
  }
  // Ids of one sequence's tokens.
  std::vector<int32_t> ids(int sequence = 0) const {
    std::vector<int32_t> ids;
    for (const TokenEvent& event : tokens()) {
      if (event.sequence == sequence) ids.push_back(event.token.token);
    }
    return ids;
  }
  // Released text and tail of one sequence.
  std::string text(int sequence = 0) const {
    std::string text;
    for (const TokenEvent& event : tokens()) {
      if (event.sequence == sequence) text += event.text;
    }
    for (const SequenceFinished& event : finished()) {
      if (event.sequence == sequence) text += event.text_tail;
    }
    return text;
  }

 private:
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::vector<PromptEvent> prompts_ ABSL_GUARDED_BY(mutex_);
  std::vector<TokenEvent> tokens_ ABSL_GUARDED_BY(mutex_);
  std::vector<TraceEvent> traces_ ABSL_GUARDED_BY(mutex_);
  std::vector<SequenceFinished> finished_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_RECORDING_SINK_H_
