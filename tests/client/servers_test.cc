#include "client/lib/servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

TEST(ServersTest, OneServerAndTargetsOfGrpcStayAsTheyAre) {
  for (const char* server :
       {"127.0.0.1:50051", "alignsae:50051", "dns:///alignsae:50051",
        "unix:/run/alignsae", "ipv4:10.0.0.1:1,10.0.0.2:2", "nonsense"}) {
    ASSERT_OK_AND_ASSIGN(const std::string target, TargetOf(server));
    EXPECT_EQ(target, server);
  }
}

TEST(ServersTest, AListIsLookedUp) {
  ASSERT_OK_AND_ASSIGN(std::string target,
                       TargetOf("127.0.0.1:50051, 127.0.0.2:50052"));
  EXPECT_EQ(target, "ipv4:127.0.0.1:50051,127.0.0.2:50052");
  ASSERT_OK_AND_ASSIGN(target, TargetOf("[::1]:1,[::1]:1,[::1]:2"));
  EXPECT_EQ(target, "ipv6:[::1]:1,[::1]:2");
  for (const char* server : {"a,b", ":1,127.0.0.1:2", "127.0.0.1:1,127.0.0.1:0",
                             "127.0.0.1:1,", "127.0.0.1:1,127.0.0.1:99999"}) {
    EXPECT_THAT(TargetOf(server).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("server: must be host:port")))
        << server;
  }
}

TEST(ServersTest, KnowsWhatIsOnThisHost) {
  for (const char* here : {"127.0.0.1:1", "127.1.2.3:1", "localhost:1",
                           "[::1]:1", "unix:/x", "127.0.0.1:1,localhost:2"}) {
    EXPECT_TRUE(IsOnThisHost(here)) << here;
  }
  for (const char* elsewhere :
       {"10.0.0.1:1", "127.0.0.1.evil.org:1", "localhost.evil.org:1", "a:1",
        "127.0.0.1:1,a:2", "dns:///localhost:1", "[::2]:1", ""}) {
    EXPECT_FALSE(IsOnThisHost(elsewhere)) << elsewhere;
  }
}

TEST(ServersTest, TheConfigurationIsJsonWithRoundRobin) {
  for (const char* server : {"a:1", "a:1,b:2", "dns:///a:1"}) {
    for (bool retries : {false, true}) {
      const auto config = nlohmann::json::parse(ServiceConfig(server, retries));
      EXPECT_TRUE(config["loadBalancingConfig"][0].contains("round_robin"));
      EXPECT_EQ(config.contains("methodConfig"), retries);
      EXPECT_EQ(config.contains("healthCheckConfig"),
                std::string(server) != "a:1");
    }
  }
}

}  // namespace
}  // namespace alignsae
