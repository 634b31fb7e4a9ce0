#include "server/http/door_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace alignsae {
namespace {

using ::testing::HasSubstr;

HttpRequest From(const std::string& host, const std::string& origin = "") {
  HttpRequest request;
  request.method = "POST";
  request.headers.push_back({"host", host});
  if (!origin.empty()) request.headers.push_back({"origin", origin});
  return request;
}

HttpConfig Config() {
  HttpConfig config;
  config.listen = {"10.0.0.7", 8080};
  config.allowed_hosts = {"Steer.example"};
  config.allowed_origins = {"https://page.example"};
  return config;
}

int StatusOf(const HttpConfig& config, const HttpRequest& request) {
  const auto failure = DoorRules(config).Check(request);
  return failure.has_value() ? failure->status : 200;
}

TEST(DoorRulesTest, AHostIsLoopbackTheAddressOrOneThatIsAllowed) {
  for (const char* host :
       {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]", "[::1]:8080",
        "10.0.0.7", "steer.example", "Steer.Example:443"}) {
    EXPECT_EQ(StatusOf(Config(), From(host)), 200) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
        "10.0.0.8", "[::2]", "steer.example.evil", "*", ":80", "[", "]"}) {
    EXPECT_EQ(StatusOf(Config(), From(host)), 421) << host;
  }
  HttpConfig any = Config();
  any.allowed_hosts = {"*"};
  EXPECT_EQ(StatusOf(any, From("evil.example")), 200);
}

TEST(DoorRulesTest, AnOriginIsThisHostOrOneThatIsAllowed) {
  for (const char* origin : {"https://page.example", "http://localhost:8080",
                             "https://localhost:8080"}) {
    EXPECT_EQ(StatusOf(Config(), From("localhost:8080", origin)), 200)
        << origin;
  }
  for (const char* origin :
       {"null", "http://page.example", "https://page.example:444",
        "https://page.example.evil", "http://localhost", "https://evil.example",
        "*"}) {
    EXPECT_EQ(StatusOf(Config(), From("localhost:8080", origin)), 403)
        << origin;
  }
  HttpConfig any = Config();
  any.allowed_origins = {"*"};
  EXPECT_EQ(StatusOf(any, From("localhost", "null")), 200);
}

TEST(DoorRulesTest, APreflightIsAnsweredWithWhatItAsks) {
  const DoorRules rules(Config());
  HttpRequest request = From("localhost", "https://page.example");
  EXPECT_FALSE(rules.Preflight(request).has_value());
  request.method = "OPTIONS";
  EXPECT_FALSE(rules.Preflight(request).has_value());
  request.headers.push_back({"access-control-request-method", "POST"});
  request.headers.push_back(
      {"access-control-request-headers", "content-type, x-any"});
  auto reply = rules.Preflight(request);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status, 204);
  rules.AddCors(request, &*reply);
  const std::string head = RenderHead(*reply, 0, true, absl::UnixEpoch());
  for (const char* line :
       {"Access-Control-Allow-Methods: GET, POST\r\n",
        "Access-Control-Allow-Headers: content-type, x-any\r\n",
        "Access-Control-Allow-Origin: https://page.example\r\n",
        "Vary: Origin\r\n"}) {
    EXPECT_THAT(head, HasSubstr(line));
  }
}

TEST(DoorRulesTest, NoOtherPageMayReadAReply) {
  const DoorRules rules(Config());
  HttpReply reply;
  rules.AddCors(From("localhost", "https://evil.example"), &reply);
  rules.AddCors(From("localhost"), &reply);
  EXPECT_TRUE(reply.headers.empty());
}

TEST(BodyTypeTest, AFormsTypeIsJsonWhereNothingTellsOfAPage) {
  const auto type_of = [](const std::string& type, const std::string& page) {
    HttpRequest request = From("localhost");
    request.headers.push_back({"content-type", type});
    if (!page.empty()) request.headers.push_back({page, ""});
    return BodyTypeOf(request).has_value();
  };
  constexpr char kForm[] = "application/x-www-form-urlencoded";
  EXPECT_TRUE(type_of(kForm, ""));
  EXPECT_TRUE(type_of("application/json", "origin"));
  for (const char* page : {"origin", "sec-fetch-site", "referer"}) {
    EXPECT_FALSE(type_of(kForm, page)) << page;
  }
  for (const char* type : {"text/plain", "multipart/form-data", ""}) {
    EXPECT_FALSE(type_of(type, "")) << type;
  }
}

}  // namespace
}  // namespace alignsae
