// One call of a load: unary, or a stream of events. What it asks for and what
// its answer must have is load_calls.cc's.
//
// Threads: started on any; ends on one of gRPC's.
// Ownership: a call deletes itself when it has ended.

#ifndef ALIGNSAE_CLIENT_LOAD_LOAD_CALL_H_
#define ALIGNSAE_CLIENT_LOAD_LOAD_CALL_H_

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "client/load/load.h"

namespace alignsae {

// What an answer that is OK comes to.
struct Weight {
  int tokens = 0;      // Generated.
  bool whole = false;  // It has all that was asked for.
};

// One call; deletes itself when it has ended.
class LoadCall {
 public:
  LoadCall(Load* load, std::string rpc, const LoadTurn& turn,
           std::function<void()> ended)
      : load_(load),
        rpc_(std::move(rpc)),
        turn_(turn),
        ended_(std::move(ended)) {
    // What is left of the deadline counts from when the call was due.
    const LoadClock::duration late = LoadClock::now() - turn.due;
    context_.set_deadline(
        std::chrono::system_clock::now() +
        absl::ToChronoMilliseconds(load->options().deadline) -
        std::chrono::duration_cast<std::chrono::milliseconds>(late));
    AddCaller(load->options(), turn.client, context_);
  }
  virtual ~LoadCall() = default;

 protected:
  void End(const Weight& weight, const grpc::Status& status) {
    load_->Note(rpc_, turn_,
                {first_token_, weight.tokens, weight.whole, status});
    const std::function<void()> ended = std::move(ended_);
    delete this;
    ended();
  }

  Load* const load_;
  const std::string rpc_;
  const LoadTurn turn_;
  LoadClock::time_point first_token_;
  grpc::ClientContext context_;

 private:
  std::function<void()> ended_;
};

template <typename Request, typename Response>
class UnaryCall final : public LoadCall {
 public:
  using LoadCall::LoadCall;
  using Ended = std::function<void(grpc::Status)>;

  // `send` is a method of a stub's async interface.
  template <typename Async>
  void Begin(Async* async,
             void (Async::*send)(grpc::ClientContext*, const Request*,
                                 Response*, Ended),
             Request request, std::function<Weight(const Response&)> weigh) {
    request_ = std::move(request);
    weigh_ = std::move(weigh);
    (async->*send)(
        &context_, &request_, &response_,
        [this](const grpc::Status& status) { End(weigh_(response_), status); });
  }

 private:
  Request request_;
  Response response_;
  std::function<Weight(const Response&)> weigh_;
};

// Whether a message ends an answer that is whole.
template <typename Event>
bool IsLast(const Event& event) {
  return event.has_summary();
}
inline bool IsLast(const v1::ValidateBindingResponse& event) {
  return event.has_report();
}

// Generate, SweepAlpha and ValidateBinding: whole when the last event IsLast.
template <typename Event>
class StreamCall final : public LoadCall,
                         public grpc::ClientReadReactor<Event> {
 public:
  using LoadCall::LoadCall;

  // `weigh` adds up an event.
  template <typename Async, typename Request>
  void Begin(Async* async,
             void (Async::*send)(grpc::ClientContext*, const Request*,
                                 grpc::ClientReadReactor<Event>*),
             const Request& request,
             std::function<void(const Event&, Weight*)> weigh) {
    weigh_ = std::move(weigh);
    (async->*send)(&context_, &request, this);
    this->StartRead(&event_);
    this->StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    const int before = weight_.tokens;
    weigh_(event_, &weight_);
    if (before == 0 && weight_.tokens > 0) first_token_ = LoadClock::now();
    last_ = IsLast(event_);
    this->StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    End({weight_.tokens, last_ && weight_.whole}, status);
  }

 private:
  std::function<void(const Event&, Weight*)> weigh_;
  Event event_;
  Weight weight_ = {0, true};
  bool last_ = false;  // Of the last event.
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_LOAD_CALL_H_
