// One HTTP/1.1 message of the front door, as bytes and as a value.
//
// What is read is read strictly: lines end with CR LF, no header is folded, no
// control character is let through, headers that say how long the message is or
// whom it is for come once, a message that says its length twice is refused. So
// no proxy in front can understand it otherwise.
//
// Thread-safety: value types; free functions.

#ifndef ALIGNSAE_SERVER_HTTP_HTTP_MESSAGE_H_
#define ALIGNSAE_SERVER_HTTP_HTTP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/metrics/http_refusal.h"

namespace alignsae {

struct HttpHeader {
  std::string name;  // Of a request: in lower case.
  std::string value;
};

struct HttpRequest {
  std::string method;
  std::string path;  // Of the target, without its query.
  std::vector<HttpHeader> headers;
  std::string body;
  std::string host;  // The peer's address without its port, as gRPC writes it.

  bool keep_alive = true;
  bool expects_continue = false;
  bool chunked = false;
  bool gzip = false;  // The body is compressed so.
  uint64_t content_length = 0;

  // Empty when there is none; the first of several.
  absl::string_view Header(absl::string_view name) const;
  // Whether it is there, be it empty.
  bool Has(absl::string_view name) const;
};

struct HttpReply {
  int status = 200;
  std::vector<HttpHeader> headers;
  std::string body;
};

// A request that is refused before anybody has looked at what it asks.
struct HttpFailure {
  int status = 400;
  HttpRefusal reason = HttpRefusal::kHead;
  std::string sentence;
  std::vector<HttpHeader> headers = {};  // Of the reply.
};

// `head`: a request up to its empty line, without it. Fills `request`, but for
// body and host. nullopt: it is well-formed.
std::optional<HttpFailure> ParseHead(absl::string_view head,
                                     HttpRequest* request);

// Replies are `no-store` unless they say otherwise by this header.
inline constexpr char kCacheControl[] = "Cache-Control";
// The head of a reply, with its empty line. `length`: of the body; nullopt:
// chunks follow.
std::string RenderHead(const HttpReply& reply, std::optional<size_t> length,
                       bool keep_alive, absl::Time now);
// `bytes`, not empty, as one chunk.
std::string RenderChunk(absl::string_view bytes);
inline constexpr char kLastChunk[] = "0\r\n\r\n";

// Takes a body from the bytes of a connection, as they come.
//
// Example:
//   HttpBody body(request, 1 << 20);
//   switch (body.Read(&bytes, &request.body)) { ... }
class HttpBody {
 public:
  enum class State { kMore, kDone, kTooLarge, kMalformed };

  HttpBody(const HttpRequest& request, size_t max_bytes);

  // Moves what belongs to the body from the front of `bytes` to `body`; the
  // frame around chunks, and trailers, are dropped.
  State Read(std::string* bytes, std::string* body);

 private:
  enum class Part { kData, kAfterData, kChunkSize, kTrailer };

  State Step(absl::string_view* in, std::string* body);
  // False: the line is not whole yet.
  bool TakeLine(absl::string_view* in);
  State BeginChunk(size_t taken);

  const bool chunked_;
  const size_t max_bytes_;
  Part part_;
  uint64_t left_;     // Of the body or the chunk.
  std::string line_;  // The one that is being taken; whole without its CR LF.
  size_t frame_bytes_ = 0;  // Of trailers.
  bool broken_ = false;     // A line that is none.
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_HTTP_MESSAGE_H_
