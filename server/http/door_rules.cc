#include "server/http/door_rules.h"

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

constexpr char kAny[] = "*";
// What a page need not ask again for.
constexpr char kPreflightSeconds[] = "7200";

std::vector<std::string> HostsOf(const HttpConfig& config) {
  std::vector<std::string> hosts = {"localhost", "127.0.0.1", "::1"};
  hosts.push_back(absl::AsciiStrToLower(config.listen.host));
  for (const std::string& host : config.allowed_hosts) {
    hosts.push_back(absl::AsciiStrToLower(host));
  }
  return hosts;
}

}  // namespace

std::optional<ConnectType> BodyTypeOf(const HttpRequest& request) {
  const absl::string_view type = request.Header("content-type");
  const std::string bare(
      absl::StripAsciiWhitespace(type.substr(0, type.find(';'))));
  if (!absl::EqualsIgnoreCase(bare, "application/x-www-form-urlencoded")) {
    return ParseContentType(type);
  }
  for (absl::string_view of_a_page : {"origin", "sec-fetch-site", "referer"}) {
    if (request.Has(of_a_page)) return std::nullopt;
  }
  return ConnectType{Codec::kJson, false};
}

std::string HostName(absl::string_view host_and_port) {
  absl::string_view host = host_and_port;
  if (absl::ConsumePrefix(&host, "[")) {
    host = host.substr(0, host.find(']'));
  } else {
    host = host.substr(0, host.find(':'));
  }
  return absl::AsciiStrToLower(host);
}

DoorRules::DoorRules(const HttpConfig& config)
    : hosts_(HostsOf(config)), origins_(config.allowed_origins) {}

bool DoorRules::AllowsHost(absl::string_view host) const {
  const std::string name = HostName(host);
  return absl::c_any_of(hosts_, [&name](const std::string& allowed) {
    return allowed == name || allowed == kAny;
  });
}

bool DoorRules::AllowsOrigin(const HttpRequest& request) const {
  const absl::string_view origin = request.Header("origin");
  if (origin == absl::StrCat("http://", request.Header("host")) ||
      origin == absl::StrCat("https://", request.Header("host"))) {
    return true;
  }
  return absl::c_any_of(origins_, [origin](const std::string& allowed) {
    return allowed == origin || allowed == kAny;
  });
}

std::optional<HttpFailure> DoorRules::Check(const HttpRequest& request) const {
  const absl::string_view host = request.Header("host");
  if (!AllowsHost(host)) {
    return HttpFailure{
        421, HttpRefusal::kHost,
        absl::StrCat(
            "host: must be a name of this server (--http-allowed-hosts), got ",
            Quoted(absl::CHexEscape(host)))};
  }
  if (!request.Header("origin").empty() && !AllowsOrigin(request)) {
    return HttpFailure{
        403, HttpRefusal::kOrigin,
        absl::StrCat("origin: must be allowed (--http-allowed-origins), got ",
                     Quoted(absl::CHexEscape(request.Header("origin"))))};
  }
  return std::nullopt;
}

std::optional<HttpReply> DoorRules::Preflight(
    const HttpRequest& request) const {
  if (request.method != "OPTIONS" || request.Header("origin").empty() ||
      request.Header("access-control-request-method").empty()) {
    return std::nullopt;
  }
  HttpReply reply;
  reply.status = 204;
  reply.headers = {{"Access-Control-Allow-Methods", "GET, POST"},
                   {"Access-Control-Max-Age", kPreflightSeconds}};
  // The page is trusted, so are the names of its headers.
  const absl::string_view asked =
      request.Header("access-control-request-headers");
  if (!asked.empty()) {
    reply.headers.push_back(
        {"Access-Control-Allow-Headers", std::string(asked)});
  }
  return reply;
}

void DoorRules::AddCors(const HttpRequest& request, HttpReply* reply) const {
  const absl::string_view origin = request.Header("origin");
  if (origin.empty() || !AllowsOrigin(request)) return;
  reply->headers.push_back(
      {"Access-Control-Allow-Origin", std::string(origin)});
  reply->headers.push_back(
      {"Access-Control-Expose-Headers", "x-request-id, retry-after"});
  reply->headers.push_back({"Vary", "Origin"});
}

}  // namespace alignsae
