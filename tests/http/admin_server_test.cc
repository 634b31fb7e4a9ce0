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

// Sockets that are connected and say no more than they are told.
class Dawdlers {
 public:
  Dawdlers(int port, int count, const std::string& said) {
    for (int i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address = {};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<uint16_t>(port));
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(
          connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
          0);
      fds_.push_back(fd);
      Say(fd, said);
    }
  }
  ~Dawdlers() {
    for (int fd : fds_) close(fd);
  }
  static void Say(int fd, const std::string& text) {
    send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
  const std::vector<int>& fds() const { return fds_; }

 private:
  std::vector<int> fds_;
};

TEST_F(AdminServerTest, AnswersWhilePeersDawdle) {
  const Dawdlers silent(server_->port(), 100, "");
  const Dawdlers dripping(server_->port(), 100, "GET /met");
  for (int i = 0; i < 3; ++i) {
    for (int fd : dripping.fds()) Dawdlers::Say(fd, "r");
    ASSERT_TRUE(Get("/livez"));
    EXPECT_EQ(Get("/metrics")->body, text_);
  }
}

TEST_F(AdminServerTest, ManyIdleConnectionsHoldNoOtherUp) {
  const Dawdlers idle(server_->port(), 500, "");
  ASSERT_TRUE(Get("/livez"));
  EXPECT_EQ(Get("/livez")->status, 200);
}

TEST_F(AdminServerTest, APeerThatTakesNothingHoldsNoOtherUp) {
  text_.assign(16 << 20, 'x');
  const Dawdlers asking(server_->port(), 2, "GET /metrics HTTP/1.1\r\n\r\n");
  const httplib::Result alive = Get("/livez");
  ASSERT_TRUE(alive);
  EXPECT_EQ(alive->status, 200);
}

TEST_F(AdminServerTest, NoHeaderMakesAnAnswerLarger) {
  httplib::Client client("127.0.0.1", server_->port());
  std::string ranges = "bytes=0-";
  for (int i = 0; i < 900; ++i) ranges += ",0-";
  const httplib::Result result =
      client.Get("/metrics", httplib::Headers{{"Range", ranges}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->body, text_);
}

TEST_F(AdminServerTest, AHeadThatNeverEndsIsNotKept) {
  const Dawdlers one(server_->port(), 1,
                     "GET / HTTP/1.1\r\nX: " + std::string(20000, 'x'));
  char byte = 0;
  EXPECT_LE(recv(one.fds()[0], &byte, 1, 0), 0);
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
