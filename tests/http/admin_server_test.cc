#include "server/http/admin_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

class AdminServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(
        server_,
        AdminServer::Start("127.0.0.1", 0,
                           {.metrics_text = [this] { return text_; },
                            .ready = [this] { return ready_.load(); }}));
  }
  httplib::Result Get(const std::string& path) {
    return httplib::Client("127.0.0.1", server_->port()).Get(path);
  }

  std::string text_ = "alignsae_kv_slots 16\n";
  std::atomic<bool> ready_ = false;
  std::unique_ptr<AdminServer> server_;
};

TEST_F(AdminServerTest, GivesTheMetricsInPrometheusTextFormat) {
  const httplib::Result result = Get("/metrics");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, text_);
  EXPECT_EQ(result->get_header_value("Content-Type"),
            "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(AdminServerTest, IsAliveBeforeItIsReady) {
  EXPECT_EQ(Get("/livez")->status, 200);
  EXPECT_EQ(Get("/readyz")->status, 503);
  EXPECT_EQ(Get("/readyz")->body, "not ready\n");
  ready_ = true;
  EXPECT_EQ(Get("/readyz")->status, 200);
  EXPECT_EQ(Get("/readyz")->body, "ok\n");
}

TEST_F(AdminServerTest, KnowsNoOtherPathsOrMethods) {
  httplib::Client client("127.0.0.1", server_->port());
  for (const char* path :
       {"/", "/metrics/", "/metricsx", "/debug", "/../etc"}) {
    EXPECT_EQ(client.Get(path)->status, 404) << path;
  }
  EXPECT_EQ(client.Post("/metrics", "x", "text/plain")->status, 404);
}

TEST_F(AdminServerTest, RefusesAPortThatIsTaken) {
  EXPECT_THAT(
      AdminServer::Start("127.0.0.1", server_->port(), {}),
      StatusIs(absl::StatusCode::kUnavailable,
               absl::StrCat("--admin-listen: must be an address that is free, "
                            "got 127.0.0.1:",
                            server_->port())));
}

TEST_F(AdminServerTest, AnswersWhilePeersDawdle) {
  // Two connections that send nothing hold two of the four threads.
  std::vector<int> sockets;
  for (int i = 0; i < 2; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(write(fd, "GET /met", 8), 8);
    sockets.push_back(fd);
  }
  EXPECT_EQ(Get("/livez")->status, 200);
  for (int fd : sockets) close(fd);
}

TEST(AdminServerFailureTest, AHandlerThatThrowsIsAnInternalError) {
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<AdminServer> server,
                       AdminServer::Start("127.0.0.1", 0,
                                          {.metrics_text = []() -> std::string {
                                             throw std::runtime_error("secret");
                                           },
                                           .ready = [] { return true; }}));
  const httplib::Result result =
      httplib::Client("127.0.0.1", server->port()).Get("/metrics");
  EXPECT_EQ(result->status, 500);
  EXPECT_EQ(result->body, "internal error\n");
}

}  // namespace
}  // namespace alignsae
