#include "server/http/connect_codec.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "model/base/field_error.h"
#include "model/base/json.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using google::protobuf::Any;
using google::protobuf::Message;
using google::protobuf::util::JsonStringToMessage;
using google::protobuf::util::MessageToJsonString;

constexpr char kTypePrefix[] = "type.googleapis.com/";
constexpr size_t kEnvelopeBytes = 5;

std::string Unpadded(absl::string_view bytes) {
  std::string text = absl::Base64Escape(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

// What `detail` says, for people.
nlohmann::json DebugOf(const Any& detail) {
  std::string text;
  google::rpc::ErrorInfo info;
  google::rpc::RetryInfo retry;
  if (detail.UnpackTo(&info)) {
    (void)MessageToJsonString(info, &text);
  } else if (detail.UnpackTo(&retry)) {
    (void)MessageToJsonString(retry, &text);
  }
  nlohmann::json debug = nlohmann::json::parse(text, nullptr, false);
  if (debug.is_discarded()) return nullptr;
  return debug;
}

nlohmann::json ErrorOf(const WireStatus& wire) {
  nlohmann::json error = {{"code", ConnectCode(wire.code)},
                          {"message", wire.message}};
  google::rpc::Status status;
  if (!status.ParseFromString(wire.details)) return error;
  for (const Any& detail : status.details()) {
    error["details"].push_back({{"type", std::string(absl::StripPrefix(
                                             detail.type_url(), kTypePrefix))},
                                {"value", Unpadded(detail.value())},
                                {"debug", DebugOf(detail)}});
  }
  return error;
}

// Of protobuf's sentence: "(generation.seed): invalid value ..." and
// "(generation) sead: Cannot find field.", without the part in brackets for the
// message itself.
absl::Status JsonFieldError(const std::string& message,
                            absl::string_view sentence) {
  constexpr char kNoField[] = ": Cannot find field.";
  std::string path;
  if (absl::ConsumePrefix(&sentence, "(")) {
    const size_t end = std::min(sentence.find(')'), sentence.size());
    path = std::string(sentence.substr(0, end));
    sentence.remove_prefix(std::min(end + 1, sentence.size()));
  }
  sentence = absl::StripLeadingAsciiWhitespace(sentence);
  if (absl::ConsumeSuffix(&sentence, kNoField)) {
    return FieldStatus({absl::StrCat(path, path.empty() ? "" : ".", sentence),
                        absl::StrCat("be a field that ", message, " has there"),
                        ""});
  }
  absl::ConsumePrefix(&sentence, ": ");
  return InvalidField(path, absl::StrCat("be as ", message, " has it"),
                      sentence);
}

std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

std::optional<ConnectType> ParseContentType(absl::string_view content_type) {
  const std::string type = absl::AsciiStrToLower(absl::StripAsciiWhitespace(
      content_type.substr(0, content_type.find(';'))));
  if (type == "application/json") return ConnectType{Codec::kJson, false};
  if (type == "application/proto") return ConnectType{Codec::kProto, false};
  if (type == "application/connect+json") {
    return ConnectType{Codec::kJson, true};
  }
  if (type == "application/connect+proto") {
    return ConnectType{Codec::kProto, true};
  }
  return std::nullopt;
}

std::string ContentTypeOf(const ConnectType& type) {
  return absl::StrCat("application/", type.stream ? "connect+" : "",
                      type.codec == Codec::kJson ? "json" : "proto");
}

absl::Status ParseMessage(Codec codec, absl::string_view bytes,
                          Message* message) {
  const std::string& name = message->GetDescriptor()->full_name();
  if (codec == Codec::kProto) {
    if (message->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      return absl::OkStatus();
    }
    return InvalidField("", absl::StrCat("be the bytes of ", name),
                        absl::StrCat(bytes.size(), " other bytes"));
  }
  const absl::Status json = ParseJson(bytes).status();
  if (!json.ok()) {
    return InvalidField("", absl::StrCat("be the JSON of ", name),
                        json.message());
  }
  const auto parsed =
      JsonStringToMessage({bytes.data(), bytes.size()}, message);
  if (parsed.ok()) return absl::OkStatus();
  return JsonFieldError(name,
                        {parsed.message().data(), parsed.message().size()});
}

std::string RenderMessage(Codec codec, const Message& message) {
  if (codec == Codec::kProto) return message.SerializeAsString();
  std::string json;
  // Every string of an answer is UTF-8, so that it cannot fail.
  (void)MessageToJsonString(message, &json);
  return json;
}

absl::StatusOr<absl::string_view> OpenEnvelope(absl::string_view body) {
  if (body.size() < kEnvelopeBytes) {
    return InvalidField("request", "be one envelope",
                        absl::StrCat(body.size(), " bytes"));
  }
  if (body[0] != 0) {
    return InvalidField("request", "be an envelope without flags",
                        static_cast<int>(static_cast<uint8_t>(body[0])));
  }
  uint32_t size = 0;
  for (size_t i = 1; i < kEnvelopeBytes; ++i) {
    size = (size << 8) | static_cast<uint8_t>(body[i]);
  }
  if (size != body.size() - kEnvelopeBytes) {
    return InvalidField(
        "request", absl::StrCat("hold the ", size, " bytes of its envelope"),
        body.size() - kEnvelopeBytes);
  }
  return body.substr(kEnvelopeBytes);
}

std::string Envelope(uint8_t flags, absl::string_view message) {
  std::string bytes(1, static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((message.size() >> shift) & 0xff);
  }
  bytes.append(message.data(), message.size());
  return bytes;
}

std::string ConnectCode(absl::StatusCode code) {
  // Connect spells it with one l.
  if (code == absl::StatusCode::kCancelled) return "canceled";
  return absl::AsciiStrToLower(absl::StatusCodeToString(code));
}

int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kUnavailable:
      return 503;
    default:  // ToWireStatus makes INTERNAL of all others.
      return 500;
  }
}

std::string ErrorJson(const WireStatus& wire) { return Dump(ErrorOf(wire)); }

std::string RefusalJson(absl::string_view code, absl::string_view message) {
  return Dump({{"code", std::string(code)}, {"message", std::string(message)}});
}

std::string EndOfStream(const WireStatus& wire) {
  nlohmann::json end = nlohmann::json::object();
  if (wire.code != absl::StatusCode::kOk) end["error"] = ErrorOf(wire);
  return Envelope(kEndOfStream, Dump(end));
}

void AddErrorHeaders(const WireStatus& wire, HttpReply* reply) {
  if (wire.code == absl::StatusCode::kUnauthenticated) {
    reply->headers.push_back({"WWW-Authenticate", "Bearer"});
  }
  int64_t milliseconds = 0;
  if (!absl::SimpleAtoi(wire.retry_pushback, &milliseconds) ||
      milliseconds < 0) {
    return;
  }
  reply->headers.push_back(
      {"Retry-After", absl::StrCat((milliseconds + 999) / 1000)});
}

}  // namespace alignsae
