#include "server/http/page_door.h"

#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace alignsae {
namespace {

// Styles that the page's script sets (a bar's width) are not inline ones.
constexpr char kPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
    "data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

// Whether the client takes gzip: named, and not with weight 0.
bool TakesGzip(absl::string_view accepted) {
  for (absl::string_view coding : absl::StrSplit(accepted, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(coding, ';');
    if (!absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(parts[0]), "gzip")) {
      continue;
    }
    return parts.size() == 1 ||
           absl::StripSuffix(absl::StripAsciiWhitespace(parts[1]), ".0") !=
               "q=0";
  }
  return false;
}

HttpReply NoRoom() {
  HttpReply reply;
  reply.status = 503;
  reply.headers = {{"Content-Type", "text/plain; charset=utf-8"},
                   {"Retry-After", "1"}};
  reply.body =
      "The page cannot be sent now: answers that nobody has taken yet hold "
      "the memory for it. Ask again.\n";
  return reply;
}

}  // namespace

const PageFile* PageDoor::Find(absl::string_view path) const {
  for (const PageFile& file : files_) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::optional<HttpFailure> PageDoor::Check(const HttpRequest& request) {
  if (request.method == "GET") return std::nullopt;
  return HttpFailure{
      405, HttpRefusal::kPath, "method: must be GET", {{"Allow", "GET"}}};
}

void PageDoor::Handle(const RpcEnv* env,
                      const std::shared_ptr<DoorExchange>& exchange) const {
  const HttpRequest& request = exchange->request();
  const PageFile& file = *Find(request.path);
  const bool gzip =
      !file.gzip.empty() && TakesGzip(request.Header("accept-encoding"));
  const absl::string_view body = gzip ? file.gzip : file.body;
  exchange->GiveUpAfter(env->unread.max_age);
  std::optional<MemoryBudget::Share> share = env->memory->answers.TryTake(
      Owner{request.host, ""}, static_cast<int64_t>(body.size()));
  if (!share.has_value()) {
    exchange->Answer(NoRoom());
    return;
  }
  // Shared, because a std::function is copied.
  exchange->OnDone(
      [held = std::make_shared<MemoryBudget::Share>(*std::move(share))] {});
  HttpReply reply;
  reply.headers = {
      {"Content-Type", std::string(file.content_type)},
      {"Cache-Control",
       file.immutable ? "public, max-age=31536000, immutable" : "no-cache"},
      {"Content-Security-Policy", kPolicy},
      {"Referrer-Policy", "no-referrer"},
      {"Vary", "Accept-Encoding"}};
  if (gzip) reply.headers.push_back({"Content-Encoding", "gzip"});
  reply.body = std::string(body);
  exchange->Answer(std::move(reply));
}

}  // namespace alignsae
