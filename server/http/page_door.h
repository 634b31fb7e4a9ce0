// The page's files at the front door, to be got with GET.
//
// Every answer has a content security policy that allows the page's own files
// and calls to this server only: no inline script, no other host.
//
// Threads: the door's; nothing blocks.
//
// Thread-safety: immutable, thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_PAGE_DOOR_H_
#define ALIGNSAE_SERVER_HTTP_PAGE_DOOR_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/api/rpc_env.h"
#include "server/http/door_exchange.h"
#include "server/http/page_file.h"

namespace alignsae {

class PageDoor {
 public:
  explicit PageDoor(std::vector<PageFile> files) : files_(std::move(files)) {}

  bool Has(absl::string_view path) const { return Find(path) != nullptr; }
  // Why a request for a file is refused, or nullopt.
  static std::optional<HttpFailure> Check(const HttpRequest& request);
  // Answers a request for a file that there is. An answer is held in the budget
  // for answers; 503 when there is no room. `env` outlives the answer.
  void Handle(const RpcEnv* env,
              const std::shared_ptr<DoorExchange>& exchange) const;

 private:
  const PageFile* Find(absl::string_view path) const;

  const std::vector<PageFile> files_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_PAGE_DOOR_H_
