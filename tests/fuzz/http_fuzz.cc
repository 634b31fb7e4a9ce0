// libFuzzer target: bytes of a connection of the front door, taken as
// DoorConnection takes them. However they are cut into pieces, the request is
// the same, and no body is larger than it may be.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "server/http/gzip.h"
#include "server/http/http_message.h"

namespace {

using alignsae::HttpBody;

constexpr size_t kMaxBody = 4096;
constexpr char kEndOfHead[] = "\r\n\r\n";

struct Taken {
  HttpBody::State state = HttpBody::State::kMore;
  std::string body;
  std::string left;

  bool operator==(const Taken&) const = default;
};

// `bytes`, which come in pieces of `piece`.
Taken TakeBody(const alignsae::HttpRequest& request, absl::string_view bytes,
               size_t piece) {
  HttpBody body(request, kMaxBody);
  Taken taken;
  taken.state = body.Read(&taken.left, &taken.body);
  while (taken.state == HttpBody::State::kMore && !bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    taken.left.append(bytes.data(), size);
    bytes.remove_prefix(size);
    taken.state = body.Read(&taken.left, &taken.body);
  }
  taken.left.append(bytes.data(), bytes.size());
  if (taken.body.size() > kMaxBody) std::abort();
  return taken;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = bytes.find(kEndOfHead);
  alignsae::HttpRequest request;
  const auto failure = alignsae::ParseHead(bytes.substr(0, end), &request);
  if (failure.has_value()) {
    if (failure->status < 400 || failure->sentence.empty()) std::abort();
    return 0;
  }
  if (request.method.empty() || request.path.empty() ||
      request.path[0] != '/' || request.Header("host").empty() ||
      (request.chunked && request.Has("content-length"))) {
    std::abort();
  }
  if (end == absl::string_view::npos) return 0;
  const absl::string_view rest = bytes.substr(end + sizeof(kEndOfHead) - 1);
  const Taken whole = TakeBody(request, rest, rest.size() + 1);
  if (whole.state == HttpBody::State::kDone) {
    for (size_t piece : {size_t{1}, size_t{3}}) {
      if (!(TakeBody(request, rest, piece) == whole)) std::abort();
    }
    const auto inflated = alignsae::Gunzip(whole.body, kMaxBody);
    if (inflated.ok() && inflated->size() > kMaxBody) std::abort();
  } else if (whole.state != HttpBody::State::kMore &&
             TakeBody(request, rest, 1).state == HttpBody::State::kDone) {
    std::abort();
  }
  return 0;
}
