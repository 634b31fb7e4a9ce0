#include "server/http/front_door.h"

#include <string>
#include <utility>

#include "model/base/status_macros.h"
#include "server/http/connect_door.h"
#include "server/http/openai_door.h"
#include "server/http/openapi.h"

namespace alignsae {
namespace {

std::optional<HttpFailure> CheckOpenApi(const HttpRequest& request) {
  if (request.method == "GET") return std::nullopt;
  return HttpFailure{
      405, HttpRefusal::kPath, "method: must be GET", {{"Allow", "GET"}}};
}

HttpReply OpenApiReply() {
  HttpReply reply;
  reply.headers = {{"Content-Type", "application/json"}};
  reply.body = std::string(OpenApiJson());
  return reply;
}

}  // namespace

FrontDoor::FrontDoor(const RpcEnv* env, std::vector<PageFile> page)
    : env_(env), rules_(env->config.http), page_(std::move(page)) {}

absl::StatusOr<std::unique_ptr<FrontDoor>> FrontDoor::Start(
    const RpcEnv* env, std::vector<PageFile> page) {
  std::unique_ptr<FrontDoor> door(new FrontDoor(env, std::move(page)));
  const Endpoint& listen = env->config.http.listen;
  ALIGNSAE_ASSIGN_OR_RETURN(
      door->door_,
      HttpDoor::Start(listen.host, listen.port, door->MakeOptions()));
  return door;
}

DoorOptions FrontDoor::MakeOptions() {
  const ServerConfig& config = env_->config;
  DoorOptions options;
  options.max_connections = config.http.max_connections;
  options.max_body_bytes =
      static_cast<size_t>(config.limits.max_receive_message_bytes);
  options.max_request_time = absl::Seconds(config.http.request_seconds);
  options.max_idle_time = absl::Seconds(config.connections.max_idle_seconds);
  options.max_unread_time = env_->unread.max_age;
  options.memory = &env_->memory->requests;
  options.greet = [this](const HttpRequest& request) {
    std::optional<HttpReply> reply = rules_.Preflight(request);
    if (!reply.has_value() && request.path == kOpenApiPath) {
      reply = OpenApiReply();
    }
    return reply;
  };
  options.check = [this](const HttpRequest& request) { return Check(request); };
  options.handle = [this](const std::shared_ptr<DoorExchange>& exchange) {
    Handle(exchange);
  };
  options.refuse = [](const HttpRequest& request, const HttpFailure& failure) {
    return IsOpenAiPath(request.path) ? RefuseOpenAi(failure)
                                      : RefuseConnect(failure);
  };
  options.decorate = [this](const HttpRequest& request, HttpReply* reply) {
    rules_.AddCors(request, reply);
  };
  options.count_refusal = [metrics = env_->metrics](HttpRefusal reason) {
    metrics->CountHttpRefused(reason);
  };
  return options;
}

std::optional<HttpFailure> FrontDoor::Check(const HttpRequest& request) const {
  if (std::optional<HttpFailure> failure = rules_.Check(request)) {
    return failure;
  }
  if (rules_.Preflight(request).has_value()) return std::nullopt;
  if (request.path == kOpenApiPath) return CheckOpenApi(request);
  if (page_.Has(request.path)) return PageDoor::Check(request);
  return IsOpenAiPath(request.path) ? CheckOpenAi(request)
                                    : CheckConnect(request);
}

void FrontDoor::Handle(const std::shared_ptr<DoorExchange>& exchange) const {
  if (page_.Has(exchange->request().path)) {
    page_.Handle(env_, exchange);
  } else if (IsOpenAiPath(exchange->request().path)) {
    HandleOpenAi(env_, exchange);
  } else {
    HandleConnect(env_, exchange);
  }
}

}  // namespace alignsae
