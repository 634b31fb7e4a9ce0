// DoorRules: who may call through the front door, as a browser tells it.
//
//   Host     must name this server: a page whose name was pointed at this
//            address after it was loaded (DNS rebinding) names its own
//   Origin   a page may call if it is of the same host and port, or allowed
//
// A request without an Origin comes from no page and is not held to that.
//
// Thread-safety: immutable.

#ifndef ALIGNSAE_SERVER_HTTP_DOOR_RULES_H_
#define ALIGNSAE_SERVER_HTTP_DOOR_RULES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/config/server_config.h"
#include "server/http/connect_codec.h"
#include "server/http/http_message.h"

namespace alignsae {

class DoorRules {
 public:
  explicit DoorRules(const HttpConfig& config);

  // Why the request is refused, or nullopt.
  std::optional<HttpFailure> Check(const HttpRequest& request) const;
  // The answer to a page's question whether it may ask (OPTIONS); nullopt:
  // it is none. Check comes first.
  std::optional<HttpReply> Preflight(const HttpRequest& request) const;
  // Lets the page that asked read the reply, if it may.
  void AddCors(const HttpRequest& request, HttpReply* reply) const;

 private:
  bool AllowsHost(absl::string_view host) const;
  bool AllowsOrigin(const HttpRequest& request) const;

  const std::vector<std::string> hosts_;  // In lower case, without ports.
  const std::vector<std::string> origins_;
};

// What a request's body is: by its content type, and JSON as well where the
// type is that of a form, provided that no page sent it. nullopt: nothing that
// the door reads.
//
// Decision: `curl -d '{...}'` says application/x-www-form-urlencoded, and has
// to work. A page of another site may send that type without asking first, so
// it counts only where nothing tells of a page: no Origin, no Sec-Fetch-Site
// and no Referer. Browsers of today send an Origin with every POST that crosses
// sites
// ("null" where they hide it) and no page can take it away; one so old that it
// does not cannot make JSON of this type, as a form's fields are
// percent-encoded and other bodies came with Origin. text/plain stays refused:
// a form can make JSON of it.
std::optional<ConnectType> BodyTypeOf(const HttpRequest& request);

// "Example.org:8080" -> "example.org", "[::1]:80" -> "::1".
std::string HostName(absl::string_view host_and_port);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_DOOR_RULES_H_
