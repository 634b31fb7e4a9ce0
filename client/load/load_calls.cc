#include <chrono>
#include <functional>
#include <random>
#include <string>
#include <utility>

#include "client/load/load.h"

// The four kinds of calls, and Load::Start, which chooses one.

namespace alignsae {
namespace {

// One call; deletes itself when it has ended.
class LoadCall {
 public:
  LoadCall(Load* load, std::string rpc, LoadClock::time_point due,
           std::function<void()> ended)
      : load_(load), rpc_(std::move(rpc)), due_(due), ended_(std::move(ended)) {
    // What is left of the deadline counts from when the call was due.
    const LoadClock::duration late = LoadClock::now() - due;
    context_.set_deadline(
        std::chrono::system_clock::now() +
        absl::ToChronoMilliseconds(load->options().deadline) -
        std::chrono::duration_cast<std::chrono::milliseconds>(late));
    if (!load->options().client_id.empty()) {
      context_.AddMetadata("x-client-id", load->options().client_id);
    }
  }
  virtual ~LoadCall() = default;

 protected:
  v1::Prompt PromptOf(uint64_t index) const {
    const std::vector<std::string>& questions = load_->subject().questions;
    v1::Prompt prompt;
    prompt.set_question(questions[index % questions.size()]);
    return prompt;
  }
  v1::GenerationConfig Generation() const {
    v1::GenerationConfig config;
    config.set_max_new_tokens(load_->options().max_new_tokens);
    config.set_ignore_eos(load_->options().ignore_eos);
    return config;
  }
  // Whether an arm of `tokens` is complete: all of them, unless the end-of-text
  // token may come before.
  bool Whole(int tokens) const {
    return tokens > 0 && (!load_->options().ignore_eos ||
                          tokens == load_->options().max_new_tokens);
  }
  // `whole`: the answer has all that was asked for; looked at when it is OK.
  void End(int tokens, bool whole, const grpc::Status& status) {
    load_->Note(rpc_, due_, {first_token_, tokens, whole, status});
    const std::function<void()> ended = std::move(ended_);
    delete this;
    ended();
  }

  Load* const load_;
  const std::string rpc_;
  const LoadClock::time_point due_;
  LoadClock::time_point first_token_;
  grpc::ClientContext context_;

 private:
  std::function<void()> ended_;
};

class ReadCall final : public LoadCall {
 public:
  using LoadCall::LoadCall;
  void Begin(uint64_t index) {
    *request_.add_prompts() = PromptOf(index);
    load_->concept_stub(index).async()->ReadConcepts(
        &context_, &request_, &response_, [this](const grpc::Status& status) {
          End(0, response_.readings_size() == request_.prompts_size(), status);
        });
  }

 private:
  v1::ReadConceptsRequest request_;
  v1::ReadConceptsResponse response_;
};

class SwapCall final : public LoadCall {
 public:
  using LoadCall::LoadCall;
  void Begin(uint64_t index) {
    const std::vector<std::string>& concepts = load_->subject().concepts;
    *request_.mutable_prompt() = PromptOf(index);
    request_.mutable_target()->set_name(
        concepts[(index + 1) % concepts.size()]);
    *request_.mutable_generation() = Generation();
    load_->steering_stub(index).async()->Swap(
        &context_, &request_, &response_, [this](const grpc::Status& status) {
          const int baseline = response_.baseline().generated_token_count();
          const int steered = response_.steered().generated_token_count();
          End(baseline + steered, Whole(baseline) && Whole(steered), status);
        });
  }

 private:
  v1::SwapRequest request_;
  v1::SwapResponse response_;
};

class CompleteCall final : public LoadCall {
 public:
  using LoadCall::LoadCall;
  void Begin(uint64_t index) {
    *request_.mutable_prompt() = PromptOf(index);
    *request_.mutable_generation() = Generation();
    load_->steering_stub(index).async()->Complete(
        &context_, &request_, &response_, [this](const grpc::Status& status) {
          const int tokens = response_.arms_size() > 0
                                 ? response_.arms(0).generated_token_count()
                                 : 0;
          End(tokens, Whole(tokens), status);
        });
  }

 private:
  v1::CompleteRequest request_;
  v1::CompleteResponse response_;
};

class GenerateCall final
    : public LoadCall,
      public grpc::ClientReadReactor<v1::GenerateResponse> {
 public:
  using LoadCall::LoadCall;
  void Begin(uint64_t index) {
    *request_.mutable_prompt() = PromptOf(index);
    *request_.mutable_generation() = Generation();
    load_->steering_stub(index).async()->Generate(&context_, &request_, this);
    StartRead(&event_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (event_.has_token()) {
      if (tokens_++ == 0) first_token_ = LoadClock::now();
    }
    summary_ = event_.has_summary();
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override {
    End(tokens_, summary_ && Whole(tokens_), status);
  }

 private:
  v1::GenerateRequest request_;
  v1::GenerateResponse event_;
  int tokens_ = 0;
  bool summary_ = false;  // The last event was the summary.
};

// The RPC of call `index`: a function of the seed alone.
std::string Choose(const LoadMix& mix, uint64_t seed, uint64_t index) {
  std::seed_seq sequence{seed, index};
  std::mt19937_64 engine(sequence);
  double total = 0;
  for (const auto& [rpc, weight] : mix) total += weight;
  double at = std::uniform_real_distribution<double>(0, total)(engine);
  for (const auto& [rpc, weight] : mix) {
    at -= weight;
    if (at < 0) return rpc;
  }
  return mix.rbegin()->first;
}

}  // namespace

void Load::Start(uint64_t index, LoadClock::time_point due,
                 std::function<void()> ended) {
  const std::string rpc = Choose(options_.mix, options_.seed, index);
  const auto begin = [&](auto* call) { call->Begin(index); };
  if (rpc == "read") {
    begin(new ReadCall(this, rpc, due, std::move(ended)));
  } else if (rpc == "swap") {
    begin(new SwapCall(this, rpc, due, std::move(ended)));
  } else if (rpc == "complete") {
    begin(new CompleteCall(this, rpc, due, std::move(ended)));
  } else {
    begin(new GenerateCall(this, rpc, due, std::move(ended)));
  }
}

}  // namespace alignsae
