#include "client/load/load.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/lib/client.h"
#include "client/lib/servers.h"

namespace alignsae {

std::shared_ptr<grpc::Channel> NewConnection(const LoadOptions& options) {
  const std::string& target = options.target;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetServiceConfigJSON(ServiceConfig(target, /*retries=*/false));
  ClientOptions client;
  client.tls = options.tls;
  client.ca_pem = options.ca_pem;
  client.certificate_pem = options.certificate_pem;
  client.key_pem = options.key_pem;
  return grpc::CreateCustomChannel(TargetOf(target).value_or(target),
                                   CredentialsOf(client), arguments);
}

void AddCaller(const LoadOptions& options, int client,
               grpc::ClientContext& context) {
  const std::string name = options.ClientName(client);
  if (!name.empty()) context.AddMetadata("x-client-id", name);
  if (!options.token.empty()) {
    context.AddMetadata("authorization",
                        absl::StrCat("Bearer ", options.token));
  }
}

Load::Load(const LoadOptions& options) : options_(options) {
  for (int i = 0; i < options.connections; ++i) {
    const auto channel = NewConnection(options);
    model_.push_back(v1::ModelService::NewStub(channel));
    concept_.push_back(v1::ConceptService::NewStub(channel));
    steering_.push_back(v1::SteeringService::NewStub(channel));
  }
}

absl::Status Load::Learn() {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(10));
  AddCaller(options_, 0, context);
  v1::ListConceptsResponse concepts;
  const grpc::Status status =
      model_stub(0).ListConcepts(&context, {}, &concepts);
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
  return options_.shared_head > 0 ? AddSharedHead() : absl::OkStatus();
}

// The head is the questions' own prompts, one after the other.
absl::Status Load::AddSharedHead() {
  std::vector<int32_t> head;
  for (const std::string& question : subject_.questions) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(10));
    v1::TokenizeRequest request;
    request.set_question(question);
    v1::TokenizeResponse tokens;
    const grpc::Status status =
        model_stub(0).Tokenize(&context, request, &tokens);
    if (!status.ok()) {
      return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                          status.error_message());
    }
    std::vector<int32_t>& prompt = subject_.prompts.emplace_back();
    for (const v1::TokenPiece& token : tokens.tokens()) {
      prompt.push_back(token.id());
    }
    head.insert(head.end(), prompt.begin(), prompt.end());
  }
  const size_t length = options_.shared_head;
  for (size_t i = 0; head.size() < length; ++i) head.push_back(head[i]);
  for (std::vector<int32_t>& prompt : subject_.prompts) {
    prompt.insert(prompt.begin(), head.begin(), head.begin() + length);
  }
  return absl::OkStatus();
}

void Load::Note(const std::string& rpc, const LoadTurn& turn,
                const Ending& ending) {
  const LoadClock::time_point now = LoadClock::now();
  const bool ok = ending.status.ok() && ending.whole;
  LoadSample sample;
  sample.rpc = rpc;
  sample.code = ending.status.ok() && !ending.whole
                    ? "INCOMPLETE"
                    : absl::StatusCodeToString(static_cast<absl::StatusCode>(
                          ending.status.error_code()));
  sample.client = options_.ClientName(turn.client);
  sample.due = Seconds(turn.due - begin_);
  sample.latency = Seconds(now - turn.due);
  if (ending.first_token != LoadClock::time_point()) {
    sample.first_token = Seconds(ending.first_token - turn.due);
  }
  if (ok) sample.generated_tokens = ending.tokens;
  sample.in_deadline =
      ok && sample.latency <= absl::ToDoubleSeconds(options_.deadline);
  MutexLock lock(&mutex_);
  samples_.push_back(std::move(sample));
}

}  // namespace alignsae
