#include "client/load/load_runner.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "alignsae/v1/concept_service.grpc.pb.h"
#include "alignsae/v1/model_service.grpc.pb.h"
#include "alignsae/v1/steering_service.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "model/base/mutex.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// A connection that no other channel shares. Refusals are what is measured:
// none is hidden by trying again.
std::shared_ptr<grpc::Channel> NewConnection(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                   arguments);
}

// What the calls are about, from the server itself.
struct Subject {
  std::vector<std::string> questions;
  std::vector<std::string> concepts;
};

// Everything that calls share. Outlives them: the runner waits for all.
class Load {
 public:
  explicit Load(const LoadOptions& options) : options_(options) {
    for (int i = 0; i < options.connections; ++i) {
      const auto channel = NewConnection(options.target);
      if (i == 0) model_ = v1::ModelService::NewStub(channel);
      concept_.push_back(v1::ConceptService::NewStub(channel));
      steering_.push_back(v1::SteeringService::NewStub(channel));
    }
  }

  absl::Status Learn() {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    v1::ListConceptsResponse concepts;
    const grpc::Status status = model_->ListConcepts(&context, {}, &concepts);
    if (!status.ok()) {
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                          status.error_message());
    }
    for (const v1::CheckpointConcepts& checkpoint : concepts.checkpoints()) {
      for (const v1::Concept& entry : checkpoint.concepts()) {
        subject_.concepts.push_back(entry.name());
        if (!entry.example().empty()) {
          subject_.questions.push_back(entry.example());
        }
      }
      break;  // The default checkpoint.
    }
    if (subject_.questions.empty() || subject_.concepts.size() < 2) {
      return absl::FailedPreconditionError(
          "server: must have a checkpoint of two concepts with examples");
    }
    return absl::OkStatus();
  }

  // Starts call number `index`, which was due at `due`; `ended` is called once.
  void Start(uint64_t index, Clock::time_point due,
             std::function<void()> ended);

  std::vector<LoadSample> TakeSamples() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return std::move(samples_);
  }
  void set_begin(Clock::time_point begin) { begin_ = begin; }
  const LoadOptions& options() const { return options_; }
  const Subject& subject() const { return subject_; }
  v1::ConceptService::Stub& concept_stub(uint64_t index) {
    return *concept_[index % concept_.size()];
  }
  v1::SteeringService::Stub& steering_stub(uint64_t index) {
    return *steering_[index % steering_.size()];
  }

  void Note(const std::string& rpc, Clock::time_point due,
            Clock::time_point first_token, int tokens,
            const grpc::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    const Clock::time_point now = Clock::now();
    LoadSample sample;
    sample.rpc = rpc;
    sample.code = absl::StatusCodeToString(
        static_cast<absl::StatusCode>(status.error_code()));
    sample.due = Seconds(due - begin_);
    sample.latency = Seconds(now - due);
    if (first_token != Clock::time_point()) {
      sample.first_token = Seconds(first_token - due);
    }
    if (status.ok()) sample.generated_tokens = tokens;
    sample.in_deadline =
        status.ok() &&
        sample.latency <= absl::ToDoubleSeconds(options_.deadline);
    MutexLock lock(&mutex_);
    samples_.push_back(std::move(sample));
  }

 private:
  const LoadOptions options_;
  Subject subject_;
  Clock::time_point begin_;
  std::unique_ptr<v1::ModelService::Stub> model_;
  std::vector<std::unique_ptr<v1::ConceptService::Stub>> concept_;
  std::vector<std::unique_ptr<v1::SteeringService::Stub>> steering_;
  Mutex mutex_;
  std::vector<LoadSample> samples_ ABSL_GUARDED_BY(mutex_);
};

// One call; deletes itself when it has ended.
class LoadCall {
 public:
  LoadCall(Load* load, std::string rpc, Clock::time_point due,
           std::function<void()> ended)
      : load_(load), rpc_(std::move(rpc)), due_(due), ended_(std::move(ended)) {
    // What is left of the deadline counts from when the call was due.
    const Clock::duration late = Clock::now() - due;
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
  void End(int tokens, const grpc::Status& status) {
    load_->Note(rpc_, due_, first_token_, tokens, status);
    const std::function<void()> ended = std::move(ended_);
    delete this;
    ended();
  }

  Load* const load_;
  const std::string rpc_;
  const Clock::time_point due_;
  Clock::time_point first_token_;
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
        &context_, &request_, &response_,
        [this](const grpc::Status& status) { End(0, status); });
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
          End(response_.baseline().generated_token_count() +
                  response_.steered().generated_token_count(),
              status);
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
          End(response_.arms_size() > 0
                  ? response_.arms(0).generated_token_count()
                  : 0,
              status);
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
      if (tokens_++ == 0) first_token_ = Clock::now();
    }
    StartRead(&event_);
  }
  void OnDone(const grpc::Status& status) override { End(tokens_, status); }

 private:
  v1::GenerateRequest request_;
  v1::GenerateResponse event_;
  int tokens_ = 0;
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

void Load::Start(uint64_t index, Clock::time_point due,
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

// Counts calls that run, so that the end can wait for all.
class Running {
 public:
  void Begin() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    ++count_;
  }
  void End() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    --count_;
    changed_.NotifyAll();
  }
  void WaitForAll() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (count_ > 0) changed_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

void RunOpen(Load& load, Clock::time_point end, Running& running) {
  std::mt19937_64 engine(load.options().seed);
  std::exponential_distribution<double> gap(load.options().rate);
  Clock::time_point due = Clock::now();
  for (uint64_t index = 0; due < end; ++index) {
    std::this_thread::sleep_until(due);
    running.Begin();
    load.Start(index, due, [&running] { running.End(); });
    due += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(gap(engine)));
  }
}

void RunClosed(Load& load, Clock::time_point end, Running& running) {
  std::atomic<uint64_t> next{0};
  std::function<void()> again = [&] {
    if (Clock::now() < end) {
      load.Start(next++, Clock::now(), again);
    } else {
      running.End();
    }
  };
  for (int i = 0; i < load.options().concurrency; ++i) {
    running.Begin();
    load.Start(next++, Clock::now(), again);
  }
  running.WaitForAll();  // `again` must outlive the calls.
}

std::vector<double> ProbeHealth(const std::shared_ptr<grpc::Channel>& channel,
                                absl::Duration every, Clock::time_point begin,
                                Clock::time_point end) {
  std::vector<double> latencies;
  if (every <= absl::ZeroDuration()) return latencies;
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  Clock::time_point due = begin;
  while (due < end) {
    std::this_thread::sleep_until(due);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    stub->Check(&context, request, &response);
    latencies.push_back(Seconds(Clock::now() - due));
    due += std::chrono::duration_cast<Clock::duration>(
        absl::ToChronoNanoseconds(every));
  }
  return latencies;
}

}  // namespace

absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options) {
  const auto health_channel = NewConnection(options.target);
  Load load(options);
  ALIGNSAE_RETURN_IF_ERROR(load.Learn());
  const Clock::time_point start = Clock::now();
  const Clock::time_point begin =
      start + absl::ToChronoNanoseconds(options.warmup);
  const Clock::time_point end =
      begin + absl::ToChronoNanoseconds(options.duration);
  load.set_begin(begin);
  LoadResult result;
  std::thread prober([&] {
    result.health =
        ProbeHealth(health_channel, options.health_every, begin, end);
  });
  Running running;
  if (options.rate > 0) {
    RunOpen(load, end, running);
  } else {
    RunClosed(load, end, running);
  }
  running.WaitForAll();
  prober.join();
  result.seconds = absl::ToDoubleSeconds(options.duration);
  for (LoadSample& sample : load.TakeSamples()) {
    if (sample.due >= 0 && sample.due < result.seconds) {
      result.samples.push_back(std::move(sample));
    }
  }
  return result;
}

}  // namespace alignsae
