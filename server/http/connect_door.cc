#include "server/http/connect_door.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "server/api/enter_lane.h"
#include "server/http/connect_codec.h"
#include "server/http/connect_rpcs.h"
#include "server/http/door_call.h"
#include "server/http/door_rules.h"

namespace alignsae {
namespace {

using google::protobuf::Message;

HttpFailure WrongType(const ConnectRpc& rpc, absl::string_view got) {
  const bool stream = rpc.stream != nullptr;
  const std::string json = ContentTypeOf({Codec::kJson, stream});
  const std::string proto = ContentTypeOf({Codec::kProto, stream});
  return {415,
          HttpRefusal::kContentType,
          absl::StrCat("content-type: must be ", json, " or ", proto, ", got ",
                       Quoted(absl::CHexEscape(got))),
          {{"Accept-Post", absl::StrCat(json, ", ", proto)}}};
}

// One unary call: read, run, rendered.
class UnaryConnect final : public std::enable_shared_from_this<UnaryConnect> {
 public:
  UnaryConnect(const ConnectRpc& rpc, std::shared_ptr<ConnectCall> call)
      : rpc_(rpc),
        call_(std::move(call)),
        response_(rpc.response_type->New()) {}

  void Run() {
    rpc_.unary(call_->call, *call_->request, response_.get(),
               [self = shared_from_this()](const absl::Status& status) {
                 self->Finish(status);
               });
  }

  void Finish(const absl::Status& status) {
    if (!status.ok()) {
      Answer(status);
      return;
    }
    RenderInLane(*call_->call, response_->ByteSizeLong(),
                 [self = shared_from_this()] { self->Render(); });
  }

 private:
  // JSON takes no more than the message and the model's answer did, for which
  // there is room.
  void Render() {
    Answer(WithoutMemoryFailure([this] {
      body_ = RenderMessage(call_->codec, *response_);
      response_.reset();
      call_->call->HoldOnly(static_cast<int64_t>(body_.size()));
      return absl::OkStatus();
    }));
  }

  void Answer(const absl::Status& status) {
    const WireStatus wire = call_->call->End(status);
    HttpReply reply;
    reply.status = HttpStatusOf(wire.code);
    reply.headers = {
        {kRequestIdKey, call_->call->request_id()},
        {"Content-Type",
         ContentTypeOf({status.ok() ? call_->codec : Codec::kJson, false})}};
    reply.body = status.ok() ? std::move(body_) : ErrorJson(wire);
    AddErrorHeaders(wire, &reply);
    call_->exchange->GiveUpAfter(call_->call->env().unread.max_age);
    call_->exchange->Answer(std::move(reply));
  }

  const ConnectRpc& rpc_;
  const std::shared_ptr<ConnectCall> call_;
  std::unique_ptr<Message> response_;
  std::string body_;
};

// Fills the call's request from the body, which is dropped.
absl::Status ReadRequest(const ConnectRpc& rpc, ConnectCall& call) {
  return WithoutMemoryFailure([&]() -> absl::Status {
    ALIGNSAE_RETURN_IF_ERROR(call.call->status());
    std::string inflated;
    ALIGNSAE_ASSIGN_OR_RETURN(
        absl::string_view bytes,
        PlainBody(call.exchange->request(), call.call->env().config.limits,
                  &inflated));
    if (rpc.stream != nullptr) {
      ALIGNSAE_ASSIGN_OR_RETURN(bytes, OpenEnvelope(bytes));
    }
    ALIGNSAE_RETURN_IF_ERROR(RenameField(
        "", "request", ParseMessage(call.codec, bytes, call.request.get())));
    call.exchange->DropBody();
    return absl::OkStatus();
  });
}

void EndStream(const std::shared_ptr<ConnectCall>& call,
               const absl::Status& status) {
  HttpReply head;
  head.headers = {{"Content-Type", ContentTypeOf({call->codec, true})},
                  {kRequestIdKey, call->call->request_id()}};
  call->exchange->Begin(std::move(head));
  call->exchange->Write(EndOfStream(call->call->End(status)), nullptr);
  call->exchange->GiveUpAfter(call->call->env().unread.max_age);
  call->exchange->End();
}

}  // namespace

std::optional<HttpFailure> CheckConnect(const HttpRequest& request) {
  const ConnectRpc* rpc = FindConnectRpc(request.path);
  if (rpc == nullptr) {
    return HttpFailure{404, HttpRefusal::kPath,
                       absl::StrCat("path: must be of an RPC, got ",
                                    Quoted(absl::CHexEscape(request.path)))};
  }
  if (request.method != "POST") {
    return HttpFailure{
        405, HttpRefusal::kPath, "method: must be POST", {{"Allow", "POST"}}};
  }
  const std::optional<ConnectType> parsed = BodyTypeOf(request);
  if (!parsed.has_value() || parsed->stream != (rpc->stream != nullptr)) {
    return WrongType(*rpc, request.Header("content-type"));
  }
  if (std::optional<HttpFailure> failure = CheckCoding(request)) return failure;
  const absl::string_view envelopes =
      request.Header("connect-content-encoding");
  if (!envelopes.empty() && !absl::EqualsIgnoreCase(envelopes, "identity")) {
    return HttpFailure{415, HttpRefusal::kContentType,
                       "connect-content-encoding: must be identity"};
  }
  const absl::string_view version = request.Header("connect-protocol-version");
  if (!version.empty() && version != "1") {
    return HttpFailure{400, HttpRefusal::kHead,
                       "connect-protocol-version: must be 1"};
  }
  return CheckTimeout(request);
}

void HandleConnect(const RpcEnv* env,
                   const std::shared_ptr<DoorExchange>& exchange) {
  const ConnectRpc& rpc = *FindConnectRpc(exchange->request().path);
  auto connect = std::make_shared<ConnectCall>();
  connect->exchange = exchange;
  connect->call = std::make_shared<Call>(
      env, rpc.method, CallerOf(exchange->request(), env->clock->Now()));
  connect->codec = BodyTypeOf(exchange->request())->codec;
  connect->request.reset(rpc.request_type->New());
  exchange->OnGone([call = connect->call] { call->Cancel(); });
  exchange->OnDone([connect] {});
  if (rpc.stream != nullptr) {
    if (!ReadInLane(*env, exchange->request(), [connect, &rpc] {
          const absl::Status status = ReadRequest(rpc, *connect);
          if (status.ok()) {
            rpc.stream(connect);
          } else {
            EndStream(connect, status);
          }
        })) {
      EndStream(connect,
                LaneFull(*connect->call, ReadingLane(exchange->request())));
    }
    return;
  }
  const auto unary = std::make_shared<UnaryConnect>(rpc, connect);
  if (!ReadInLane(*env, exchange->request(), [connect, &rpc, unary] {
        const absl::Status status = ReadRequest(rpc, *connect);
        if (status.ok()) {
          unary->Run();
        } else {
          unary->Finish(status);
        }
      })) {
    unary->Finish(LaneFull(*connect->call, ReadingLane(exchange->request())));
  }
}

HttpReply RefuseConnect(const HttpFailure& failure) {
  absl::string_view code = "unknown";
  switch (failure.status) {
    case 400:
      code = "invalid_argument";
      break;
    case 403:
    case 421:
      code = "permission_denied";
      break;
    case 404:
    case 405:
    case 415:
    case 501:
    case 505:
      code = "unimplemented";
      break;
    case 408:
      code = "deadline_exceeded";
      break;
    case 413:
    case 429:
    case 431:
      code = "resource_exhausted";
      break;
    case 503:
      code = "unavailable";
      break;
    default:
      break;
  }
  HttpReply reply;
  reply.status = failure.status;
  reply.headers = {{"Content-Type", "application/json"}};
  reply.body = RefusalJson(code, failure.sentence);
  return reply;
}

}  // namespace alignsae
