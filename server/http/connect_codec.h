// The Connect protocol's bytes: messages as JSON or protobuf, envelopes of
// streams, errors, and what they are in HTTP.
//
// JSON is protobuf's: camelCase or the names of the protos, no unknown field,
// 64-bit integers as strings. It is also strict JSON (model/base/json.h).
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_HTTP_CONNECT_CODEC_H_
#define ALIGNSAE_SERVER_HTTP_CONNECT_CODEC_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/api/status.h"
#include "server/http/http_message.h"

namespace alignsae {

enum class Codec { kJson, kProto };

// What a content type says: its codec, and whether the message is of a stream.
struct ConnectType {
  Codec codec = Codec::kJson;
  bool stream = false;
};
// nullopt: none of the four.
std::optional<ConnectType> ParseContentType(absl::string_view content_type);
std::string ContentTypeOf(const ConnectType& type);

// INVALID_ARGUMENT: bytes that are no message; a FieldError whose path is the
// field, or "" for all of it (then with the place, where that is known).
absl::Status ParseMessage(Codec codec, absl::string_view bytes,
                          google::protobuf::Message* message);
std::string RenderMessage(Codec codec,
                          const google::protobuf::Message& message);

// The message of an envelope that is alone in `body`.
absl::StatusOr<absl::string_view> OpenEnvelope(absl::string_view body);
std::string Envelope(uint8_t flags, absl::string_view message);
inline constexpr uint8_t kEndOfStream = 2;

// "invalid_argument", ...
std::string ConnectCode(absl::StatusCode code);
int HttpStatusOf(absl::StatusCode code);
// {"code": ..., "message": ..., "details": [...]}
std::string ErrorJson(const WireStatus& wire);
// A refusal that no call has made.
std::string RefusalJson(absl::string_view code, absl::string_view message);
// The last envelope of a stream.
std::string EndOfStream(const WireStatus& wire);
// Retry-After in whole seconds, when the status says a time; WWW-Authenticate
// where nobody knows who calls.
void AddErrorHeaders(const WireStatus& wire, HttpReply* reply);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_CONNECT_CODEC_H_
