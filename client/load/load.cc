#include "client/load/load.h"

#include "absl/status/status.h"

namespace alignsae {

// A connection that no other channel shares. Refusals are what is measured:
// none is hidden by trying again.
std::shared_ptr<grpc::Channel> NewConnection(const std::string& target) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                   arguments);
}

Load::Load(const LoadOptions& options) : options_(options) {
  for (int i = 0; i < options.connections; ++i) {
    const auto channel = NewConnection(options.target);
    if (i == 0) model_ = v1::ModelService::NewStub(channel);
    concept_.push_back(v1::ConceptService::NewStub(channel));
    steering_.push_back(v1::SteeringService::NewStub(channel));
  }
}

absl::Status Load::Learn() {
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

void Load::Note(const std::string& rpc, LoadClock::time_point due,
                const Ending& ending) {
  const LoadClock::time_point now = LoadClock::now();
  const bool ok = ending.status.ok() && ending.whole;
  LoadSample sample;
  sample.rpc = rpc;
  sample.code = ending.status.ok() && !ending.whole
                    ? "INCOMPLETE"
                    : absl::StatusCodeToString(static_cast<absl::StatusCode>(
                          ending.status.error_code()));
  sample.due = Seconds(due - begin_);
  sample.latency = Seconds(now - due);
  if (ending.first_token != LoadClock::time_point()) {
    sample.first_token = Seconds(ending.first_token - due);
  }
  if (ok) sample.generated_tokens = ending.tokens;
  sample.in_deadline =
      ok && sample.latency <= absl::ToDoubleSeconds(options_.deadline);
  MutexLock lock(&mutex_);
  samples_.push_back(std::move(sample));
}

}  // namespace alignsae
