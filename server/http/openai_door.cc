#include "server/http/openai_door.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/enter_lane.h"
#include "server/api/methods.h"
#include "server/api/model_rpcs.h"
#include "server/api/unary_call.h"
#include "server/http/connect_codec.h"
#include "server/http/door_call.h"
#include "server/http/door_rules.h"
#include "server/http/openai_completion.h"
#include "server/http/openai_stream.h"

namespace alignsae {
namespace {

using nlohmann::json;

constexpr char kModels[] = "/v1/models";
constexpr char kCompletions[] = "/v1/completions";

// The call that says who asks; the others of an answer are its like.
std::shared_ptr<Call> NewCall(const RpcEnv* env, absl::string_view method,
                              const HttpRequest& request) {
  return std::make_shared<Call>(env, method,
                                CallerOf(request, env->clock->Now()));
}

// Ends the one call that there is.
void Refuse(const std::shared_ptr<DoorExchange>& exchange,
            const std::shared_ptr<Call>& call, const absl::Status& status) {
  exchange->OnDone([call] {});
  exchange->GiveUpAfter(call->env().unread.max_age);
  exchange->Answer(ErrorReply(call->End(status), call->request_id()));
}

// One GetModel.
struct ModelsCall {
  std::shared_ptr<DoorExchange> exchange;
  std::shared_ptr<Call> call;
  v1::GetModelRequest request;
  v1::GetModelResponse response;

  void Finish(const absl::Status& status) {
    const WireStatus wire = call->End(status);
    exchange->GiveUpAfter(call->env().unread.max_age);
    if (!status.ok()) {
      exchange->Answer(ErrorReply(wire, call->request_id()));
      return;
    }
    json data = json::array();
    for (const std::string& name : response.served_models()) {
      data.push_back({{"id", name},
                      {"object", "model"},
                      {"created", 0},
                      {"owned_by", "alignsae"}});
    }
    HttpReply reply;
    reply.headers = {{"Content-Type", "application/json"},
                     {kRequestIdKey, call->request_id()}};
    reply.body = DumpJson({{"object", "list"}, {"data", std::move(data)}});
    exchange->Answer(std::move(reply));
  }
};

void HandleModels(const RpcEnv* env,
                  const std::shared_ptr<DoorExchange>& exchange) {
  auto models = std::make_shared<ModelsCall>();
  models->exchange = exchange;
  models->call = NewCall(env, kRpcGetModel, exchange->request());
  exchange->OnGone([call = models->call] { call->Cancel(); });
  exchange->OnDone([models] {});
  GetModel(models->call, &models->request, &models->response,
           [models](const absl::Status& status) { models->Finish(status); });
}

// Whether the model that is asked is one that is loaded.
absl::Status CheckModel(const std::string& asked, std::shared_ptr<Call> call) {
  if (asked.empty()) {
    return InvalidField("model", "be the name of a model", Quoted(asked));
  }
  call->AskFor(asked);
  return EnterCall(std::move(call)).status();
}

// In a lane.
void ReadAndRun(const RpcEnv* env,
                const std::shared_ptr<DoorExchange>& exchange) {
  auto completion = std::make_shared<CompletionCall>();
  absl::Status status = WithoutMemoryFailure([&]() -> absl::Status {
    const Limits& limits = env->config.limits;
    std::string inflated;
    ALIGNSAE_ASSIGN_OR_RETURN(
        const absl::string_view body,
        PlainBody(exchange->request(), limits, &inflated));
    ALIGNSAE_ASSIGN_OR_RETURN(completion->asked, ParseCompletion(body, limits));
    return absl::OkStatus();
  });
  const absl::string_view method =
      completion->asked.stream ? kRpcGenerate : kRpcComplete;
  auto first = NewCall(env, method, exchange->request());
  if (status.ok()) status = CheckModel(completion->asked.model, first);
  if (!status.ok()) {
    Refuse(exchange, first, status);
    return;
  }
  for (AskedChoice& choice : completion->asked.choices) {
    choice.request.set_model(completion->asked.model);
  }
  exchange->DropBody();
  completion->exchange = exchange;
  completion->created = absl::ToUnixSeconds(env->clock->Now());
  Caller caller = CallerOf(exchange->request(), env->clock->Now());
  caller.request_id = first->request_id();
  completion->calls.push_back(std::move(first));
  while (completion->calls.size() < completion->asked.choices.size()) {
    completion->calls.push_back(std::make_shared<Call>(env, method, caller));
  }
  exchange->OnGone([completion] { completion->CancelAll(); });
  if (completion->asked.stream) {
    RunCompletionStream(completion);
  } else {
    RunCompletion(std::move(completion));
  }
}

}  // namespace

bool IsOpenAiPath(absl::string_view path) {
  return absl::StartsWith(path, "/v1/");
}

std::optional<HttpFailure> CheckOpenAi(const HttpRequest& request) {
  const bool models = request.path == kModels;
  if (!models && request.path != kCompletions) {
    return HttpFailure{
        404, HttpRefusal::kPath,
        absl::StrCat("path: must be ", kModels, " or ", kCompletions, ", got ",
                     Quoted(absl::CHexEscape(request.path)))};
  }
  const char* method = models ? "GET" : "POST";
  if (request.method != method) {
    return HttpFailure{405,
                       HttpRefusal::kPath,
                       absl::StrCat("method: must be ", method),
                       {{"Allow", method}}};
  }
  if (models) return CheckTimeout(request);
  const std::optional<ConnectType> parsed = BodyTypeOf(request);
  if (!parsed.has_value() || parsed->stream || parsed->codec != Codec::kJson) {
    return HttpFailure{
        415,
        HttpRefusal::kContentType,
        absl::StrCat("content-type: must be application/json, "
                     "got ",
                     Quoted(absl::CHexEscape(request.Header("content-type")))),
        {{"Accept-Post", "application/json"}}};
  }
  if (std::optional<HttpFailure> failure = CheckCoding(request)) return failure;
  return CheckTimeout(request);
}

void HandleOpenAi(const RpcEnv* env,
                  const std::shared_ptr<DoorExchange>& exchange) {
  if (exchange->request().path == kModels) {
    HandleModels(env, exchange);
    return;
  }
  if (!ReadInLane(*env, exchange->request(),
                  [env, exchange] { ReadAndRun(env, exchange); })) {
    auto call = NewCall(env, kRpcComplete, exchange->request());
    const absl::Status busy = LaneFull(*call, ReadingLane(exchange->request()));
    Refuse(exchange, call, busy);
  }
}

HttpReply RefuseOpenAi(const HttpFailure& failure) {
  HttpReply reply;
  reply.status = failure.status;
  reply.headers = {{"Content-Type", "application/json"}};
  reply.body = DumpJson({{"error",
                          {{"message", failure.sentence},
                           {"type", ErrorType(failure.status)},
                           {"param", nullptr},
                           {"code", nullptr}}}});
  return reply;
}

}  // namespace alignsae
