#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/load/load_call.h"

// The kinds of calls, and Load::Start, which chooses one.

namespace alignsae {
namespace {

// A corpus for one stream: so many requests of so many prompts.
constexpr int kStreamRequests = 8;
constexpr int kStreamPrompts = 16;
constexpr int kDetokenizedIds = 32;

// What calls ask for.
v1::Prompt PromptOf(const Load& load, uint64_t index) {
  const std::vector<std::string>& questions = load.subject().questions;
  v1::Prompt prompt;
  if (load.subject().prompts.empty()) {
    prompt.set_question(questions[index % questions.size()]);
    return prompt;
  }
  for (int32_t id : load.subject().prompts[index % questions.size()]) {
    prompt.mutable_token_ids()->add_ids(id);
  }
  return prompt;
}

const std::string& ConceptOf(const Load& load, uint64_t index) {
  const std::vector<std::string>& concepts = load.subject().concepts;
  return concepts[index % concepts.size()];
}

v1::GenerationConfig GenerationOf(const Load& load) {
  v1::GenerationConfig config;
  config.set_max_new_tokens(load.options().max_new_tokens);
  config.set_ignore_eos(load.options().ignore_eos);
  return config;
}

// Of an arm of `tokens`, which is complete with all of them, unless the
// end-of-text token may come before.
Weight WeightOf(const Load& load, int tokens) {
  return {tokens, tokens > 0 && (!load.options().ignore_eos ||
                                 tokens == load.options().max_new_tokens)};
}

Weight Both(const Weight& a, const Weight& b) {
  return {a.tokens + b.tokens, a.whole && b.whole};
}

// ReadConceptsStream: writes all requests, reads all answers.
class CorpusCall final
    : public LoadCall,
      public grpc::ClientBidiReactor<v1::ReadConceptsStreamRequest,
                                     v1::ReadConceptsStreamResponse> {
 public:
  using LoadCall::LoadCall;
  void Begin() {
    for (int i = 0; i < kStreamPrompts; ++i) {
      *request_.mutable_read()->add_prompts() =
          PromptOf(*load_, turn_.index + static_cast<uint64_t>(i));
    }
    load_->concept_stub(turn_.index)
        .async()
        ->ReadConceptsStream(&context_, this);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }
  void OnWriteDone(bool ok) override {
    if (ok && ++written_ < kStreamRequests) {
      StartWrite(&request_);
    } else if (ok) {
      StartWritesDone();
    }
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    answers_ += response_.answer().readings_size() == kStreamPrompts ? 1 : 0;
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    End({0, answers_ == kStreamRequests}, status);
  }

 private:
  v1::ReadConceptsStreamRequest request_;
  v1::ReadConceptsStreamResponse response_;
  int written_ = 0;
  int answers_ = 0;
};

// WatchSlots, which has no end: until its first message.
class WatchCall final : public LoadCall,
                        public grpc::ClientReadReactor<v1::WatchSlotsResponse> {
 public:
  using LoadCall::LoadCall;
  void Begin() {
    load_->concept_stub(turn_.index)
        .async()
        ->WatchSlots(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    seen_ = ok;
    context_.TryCancel();
  }
  void OnDone(const grpc::Status& status) override {
    End({0, seen_}, seen_ ? grpc::Status::OK : status);
  }

 private:
  const v1::WatchSlotsRequest request_;
  v1::WatchSlotsResponse response_;
  bool seen_ = false;
};

// The start of one kind of call.
using Starter =
    std::function<void(Load*, const LoadTurn&, std::function<void()>)>;

// `make` gives the request, `weigh` what its answer comes to.
template <typename Service, typename Request, typename Response>
Starter Unary(
    const char* rpc, typename Service::Stub& (Load::*stub)(uint64_t),
    void (Service::StubInterface::async_interface::*send)(
        grpc::ClientContext*, const Request*, Response*,
        std::function<void(grpc::Status)>),
    std::function<Request(const Load&, uint64_t)> make,
    std::function<Weight(const Load&, const Request&, const Response&)> weigh) {
  return [=](Load* load, const LoadTurn& turn, std::function<void()> ended) {
    auto* call =
        new UnaryCall<Request, Response>(load, rpc, turn, std::move(ended));
    const Request request = make(*load, turn.index);
    typename Service::StubInterface::async_interface* async =
        (load->*stub)(turn.index).async();
    call->Begin(async, send, request, [=](const Response& response) {
      return weigh(*load, request, response);
    });
  };
}

using ModelAsync = v1::ModelService::StubInterface::async_interface;
using ConceptAsync = v1::ConceptService::StubInterface::async_interface;
using SteeringAsync = v1::SteeringService::StubInterface::async_interface;

std::map<std::string, Starter> ModelStarters() {
  return {
      {"model",
       Unary<v1::ModelService, v1::GetModelRequest, v1::GetModelResponse>(
           "model", &Load::model_stub, &ModelAsync::GetModel,
           [](const Load&, uint64_t) { return v1::GetModelRequest(); },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{0, answer.checkpoints_size() > 0};
           })},
      {"concepts",
       Unary<v1::ModelService, v1::ListConceptsRequest,
             v1::ListConceptsResponse>(
           "concepts", &Load::model_stub, &ModelAsync::ListConcepts,
           [](const Load&, uint64_t) { return v1::ListConceptsRequest(); },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{0, answer.checkpoints_size() > 0};
           })},
      {"tokenize",
       Unary<v1::ModelService, v1::TokenizeRequest, v1::TokenizeResponse>(
           "tokenize", &Load::model_stub, &ModelAsync::Tokenize,
           [](const Load& load, uint64_t index) {
             v1::TokenizeRequest request;
             const std::vector<std::string>& questions =
                 load.subject().questions;
             request.set_question(questions[index % questions.size()]);
             return request;
           },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{0, answer.tokens_size() > 0};
           })},
      {"detokenize",
       Unary<v1::ModelService, v1::DetokenizeRequest, v1::DetokenizeResponse>(
           "detokenize", &Load::model_stub, &ModelAsync::Detokenize,
           [](const Load&, uint64_t index) {
             v1::DetokenizeRequest request;
             for (int i = 0; i < kDetokenizedIds; ++i) {
               request.add_token_ids(static_cast<int32_t>((index + i) % 256));
             }
             return request;
           },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{0, !answer.text().empty()};
           })},
  };
}

// One prompt, which is read and not swapped.
void StartValidate(Load* load, const LoadTurn& turn,
                   std::function<void()> ended) {
  v1::ValidateBindingRequest request;
  *request.add_prompts()->mutable_prompt() = PromptOf(*load, turn.index);
  request.set_max_swaps(0);
  ConceptAsync* async = load->concept_stub(turn.index).async();
  (new StreamCall<v1::ValidateBindingResponse>(load, "validate", turn,
                                               std::move(ended)))
      ->Begin(async, &ConceptAsync::ValidateBinding, request,
              [](const v1::ValidateBindingResponse&, Weight*) {});
}

std::map<std::string, Starter> ConceptStarters() {
  return {
      {"read",
       Unary<v1::ConceptService, v1::ReadConceptsRequest,
             v1::ReadConceptsResponse>(
           "read", &Load::concept_stub, &ConceptAsync::ReadConcepts,
           [](const Load& load, uint64_t index) {
             v1::ReadConceptsRequest request;
             *request.add_prompts() = PromptOf(load, index);
             return request;
           },
           [](const Load&, const auto& request, const auto& answer) {
             return Weight{0, answer.readings_size() == request.prompts_size()};
           })},
      {"inspect",
       Unary<v1::ConceptService, v1::InspectSlotsRequest,
             v1::InspectSlotsResponse>(
           "inspect", &Load::concept_stub, &ConceptAsync::InspectSlots,
           [](const Load& load, uint64_t index) {
             v1::InspectSlotsRequest request;
             *request.mutable_prompt() = PromptOf(load, index);
             return request;
           },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{
                 0, answer.tokens_size() > 0 &&
                        answer.tokens_size() == answer.prompt_token_ids_size()};
           })},
      {"explain",
       Unary<v1::ConceptService, v1::ExplainSlotRequest,
             v1::ExplainSlotResponse>(
           "explain", &Load::concept_stub, &ConceptAsync::ExplainSlot,
           [](const Load& load, uint64_t index) {
             v1::ExplainSlotRequest request;
             request.mutable_slot()->set_name(ConceptOf(load, index));
             return request;
           },
           [](const Load&, const auto&, const auto& answer) {
             return Weight{0, answer.with_ln_f().top_size() > 0};
           })},
      {"validate", StartValidate},
      {"watch",
       [](Load* load, const LoadTurn& turn, std::function<void()> ended) {
         (new WatchCall(load, "watch", turn, std::move(ended)))->Begin();
       }},
      {"stream",
       [](Load* load, const LoadTurn& turn, std::function<void()> ended) {
         (new CorpusCall(load, "stream", turn, std::move(ended)))->Begin();
       }},
  };
}

v1::SwapRequest SwapOf(const Load& load, uint64_t index) {
  v1::SwapRequest request;
  *request.mutable_prompt() = PromptOf(load, index);
  request.mutable_target()->set_name(ConceptOf(load, index + 1));
  *request.mutable_generation() = GenerationOf(load);
  return request;
}

v1::CompleteRequest CompleteOf(const Load& load, uint64_t index) {
  v1::CompleteRequest request;
  *request.mutable_prompt() = PromptOf(load, index);
  *request.mutable_generation() = GenerationOf(load);
  return request;
}

void StartGenerate(Load* load, const LoadTurn& turn,
                   std::function<void()> ended) {
  v1::GenerateRequest request;
  *request.mutable_prompt() = PromptOf(*load, turn.index);
  *request.mutable_generation() = GenerationOf(*load);
  SteeringAsync* async = load->steering_stub(turn.index).async();
  (new StreamCall<v1::GenerateResponse>(load, "generate", turn,
                                        std::move(ended)))
      ->Begin(async, &SteeringAsync::Generate, request,
              std::function<void(const v1::GenerateResponse&, Weight*)>(
                  [load](const v1::GenerateResponse& event, Weight* weight) {
                    if (event.has_token()) ++weight->tokens;
                    weight->whole = WeightOf(*load, weight->tokens).whole;
                  }));
}

// Three cells beside the baseline.
void StartSweep(Load* load, const LoadTurn& turn, std::function<void()> ended) {
  v1::SweepAlphaRequest request;
  *request.mutable_prompt() = PromptOf(*load, turn.index);
  request.set_mode(v1::INTERVENTION_MODE_SWAP);
  request.add_targets()->set_name(ConceptOf(*load, turn.index + 1));
  for (double alpha : {0.5, 1.0, 2.0}) request.add_alphas(alpha);
  *request.mutable_generation() = GenerationOf(*load);
  SteeringAsync* async = load->steering_stub(turn.index).async();
  (new StreamCall<v1::SweepAlphaResponse>(load, "sweep", turn,
                                          std::move(ended)))
      ->Begin(
          async, &SteeringAsync::SweepAlpha, request,
          std::function<void(const v1::SweepAlphaResponse&, Weight*)>(
              [load](const v1::SweepAlphaResponse& event, Weight* weight) {
                if (!event.has_cell()) return;
                *weight = Both(
                    *weight,
                    WeightOf(*load,
                             event.cell().result().generated_token_count()));
              }));
}

std::map<std::string, Starter> SteeringStarters() {
  return {
      {"swap",
       Unary<v1::SteeringService, v1::SwapRequest, v1::SwapResponse>(
           "swap", &Load::steering_stub, &SteeringAsync::Swap, SwapOf,
           [](const Load& load, const auto&, const auto& answer) {
             return Both(
                 WeightOf(load, answer.baseline().generated_token_count()),
                 WeightOf(load, answer.steered().generated_token_count()));
           })},
      {"complete",
       Unary<v1::SteeringService, v1::CompleteRequest, v1::CompleteResponse>(
           "complete", &Load::steering_stub, &SteeringAsync::Complete,
           CompleteOf,
           [](const Load& load, const auto&, const auto& answer) {
             return WeightOf(load, answer.arms_size() > 0
                                       ? answer.arms(0).generated_token_count()
                                       : 0);
           })},
      {"generate", StartGenerate},
      {"sweep", StartSweep},
  };
}

const std::map<std::string, Starter>& Starters() {
  static const auto* const all = [] {
    auto* starters = new std::map<std::string, Starter>(ModelStarters());
    starters->merge(ConceptStarters());
    starters->merge(SteeringStarters());
    return starters;
  }();
  return *all;
}

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

void Load::Start(const LoadTurn& turn, std::function<void()> ended) {
  const std::string rpc = Choose(options_.mix, options_.seed, turn.index);
  Starters().at(rpc)(this, turn, std::move(ended));
}

}  // namespace alignsae
