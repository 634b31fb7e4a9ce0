// FrontDoor: the HTTP port for browsers, curl and other people's clients: the
// Connect protocol (connect_door.h), OpenAI's completions (openai_door.h) and
// the page (page_door.h), behind one set of rules (door_rules.h) and limits.
//
// Thread-safety: thread-safe; Shutdown from one thread, with the lanes running.
// Errors: Start: UNAVAILABLE naming the address that cannot be bound.

#ifndef ALIGNSAE_SERVER_HTTP_FRONT_DOOR_H_
#define ALIGNSAE_SERVER_HTTP_FRONT_DOOR_H_

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "server/api/rpc_env.h"
#include "server/http/door_rules.h"
#include "server/http/http_door.h"
#include "server/http/page_door.h"
#include "server/http/page_file.h"

namespace alignsae {

class FrontDoor {
 public:
  // As env->config.http says. `env`, and what the files are of, must outlive
  // the door.
  static absl::StatusOr<std::unique_ptr<FrontDoor>> Start(
      const RpcEnv* env, std::vector<PageFile> page = {});
  FrontDoor(const FrontDoor&) = delete;
  FrontDoor& operator=(const FrontDoor&) = delete;

  int port() const { return door_->port(); }
  int connections() const { return door_->connections(); }
  // Ends all connections and waits for the end of their calls. Idempotent.
  void Shutdown() { door_->Shutdown(); }

 private:
  FrontDoor(const RpcEnv* env, std::vector<PageFile> page);

  DoorOptions MakeOptions();
  std::optional<HttpFailure> Check(const HttpRequest& request) const;
  void Handle(const std::shared_ptr<DoorExchange>& exchange) const;

  const RpcEnv* const env_;
  const DoorRules rules_;
  const PageDoor page_;
  std::unique_ptr<HttpDoor> door_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_FRONT_DOOR_H_
