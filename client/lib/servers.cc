#include "client/lib/servers.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace alignsae {
namespace {

constexpr char kRetryPolicy[] = R"(
  "methodConfig": [{
    "name": [{}],
    "retryPolicy": {
      "maxAttempts": 4,
      "initialBackoff": "0.1s",
      "maxBackoff": "2s",
      "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
    }
  }],)";

bool IsSeveral(const std::string& server) {
  return absl::StrContains(server, ',') || absl::StartsWith(server, "dns:");
}

// Addresses of a list, by family: gRPC's target names one.
struct Addresses {
  std::vector<std::string> v4;
  std::vector<std::string> v6;
};

void AddOnce(std::string address, std::vector<std::string>* to) {
  if (std::find(to->begin(), to->end(), address) == to->end()) {
    to->push_back(std::move(address));
  }
}

absl::Status LookUp(const std::string& host, int port, Addresses* found) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (error != 0) {
    return absl::UnavailableError(absl::StrCat(
        "server: must have an address, got ", host, ": ", gai_strerror(error)));
  }
  for (const addrinfo* each = list; each != nullptr; each = each->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof(text), nullptr, 0,
                NI_NUMERICHOST);
    if (each->ai_family == AF_INET) {
      AddOnce(absl::StrCat(text, ":", port), &found->v4);
    } else if (each->ai_family == AF_INET6) {
      AddOnce(absl::StrCat("[", text, "]:", port), &found->v6);
    }
  }
  freeaddrinfo(list);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> TargetOf(const std::string& server) {
  // A list that is a target already ("ipv4:...") has its scheme in front.
  if (!absl::StrContains(server, ',') || absl::StartsWith(server, "ipv4:") ||
      absl::StartsWith(server, "ipv6:")) {
    return server;
  }
  Addresses found;
  for (absl::string_view part : absl::StrSplit(server, ',')) {
    part = absl::StripAsciiWhitespace(part);
    const size_t colon = part.rfind(':');
    int port = 0;
    if (colon == absl::string_view::npos || colon == 0 ||
        !absl::SimpleAtoi(part.substr(colon + 1), &port) || port < 1 ||
        port > 65535) {
      return absl::InvalidArgumentError(
          absl::StrCat("server: must be host:port, or several separated by "
                       "commas, got \"",
                       part, "\""));
    }
    absl::string_view host = part.substr(0, colon);
    if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
    const absl::Status status = LookUp(std::string(host), port, &found);
    if (!status.ok()) return status;
  }
  // A name may have both (localhost): then one kind is enough.
  return found.v4.empty() ? absl::StrCat("ipv6:", absl::StrJoin(found.v6, ","))
                          : absl::StrCat("ipv4:", absl::StrJoin(found.v4, ","));
}

bool IsOnThisHost(const std::string& server) {
  for (absl::string_view one : absl::StrSplit(server, ',')) {
    const std::string host(one.substr(0, one.rfind(':')));
    in_addr address = {};
    const bool loopback = inet_pton(AF_INET, host.c_str(), &address) == 1 &&
                          (ntohl(address.s_addr) >> 24) == 127;
    if (!loopback && host != "localhost" && host != "[::1]" &&
        !absl::StartsWith(one, "unix:")) {
      return false;
    }
  }
  return true;
}

std::string ServiceConfig(const std::string& server, bool retries) {
  return absl::StrCat(
      "{", retries ? kRetryPolicy : "",
      IsSeveral(server) ? R"("healthCheckConfig": {"serviceName": ""},)" : "",
      R"("loadBalancingConfig": [{"round_robin": {}}]})");
}

}  // namespace alignsae
