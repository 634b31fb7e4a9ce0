// The page's files at the front door, and what `/` says without them.

#include "server/http/page_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/http/front_door.h"
#include "tests/support/serving_fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class PageDoorTest : public ServingTest {
 protected:
  PageDoorTest() { env_.config.http.listen = {"127.0.0.1", 0}; }
  ~PageDoorTest() override {
    registry_.EndAll();
    if (door_ != nullptr) door_->Shutdown();
    lanes_.Stop();
  }
  void Start(std::vector<PageFile> files) {
    ASSERT_OK_AND_ASSIGN(door_, FrontDoor::Start(&env_, std::move(files)));
  }
  httplib::Result Get(const std::string& path, const std::string& accepted = "",
                      const std::string& host = "localhost") {
    httplib::Client client("127.0.0.1", door_->port());
    client.set_decompress(false);
    return client.Get(path, {{"Accept-Encoding", accepted}, {"Host", host}});
  }

  std::unique_ptr<FrontDoor> door_;
};

std::vector<PageFile> TwoFiles() {
  return {{"/", "text/html", "<p>hello", "", false},
          {"/assets/a-1.js", "text/javascript", "let a;", "packed", true}};
}

TEST_F(PageDoorTest, FilesAreThereBeforeTheModelIs) {
  Start(TwoFiles());
  const auto index = Get("/");
  ASSERT_TRUE(index);
  EXPECT_EQ(index->status, 200);
  EXPECT_EQ(index->body, "<p>hello");
  EXPECT_EQ(index->get_header_value("Content-Type"), "text/html");
  EXPECT_EQ(index->get_header_value("Cache-Control"), "no-cache");
  EXPECT_THAT(index->get_header_value("Content-Security-Policy"),
              StartsWith("default-src 'none'; script-src 'self';"));
  EXPECT_EQ(index->get_header_value("X-Content-Type-Options"), "nosniff");
  // The client has the last byte before the server knows that it is gone.
  for (int i = 0; i < 500 && memory_.answers.used() > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(memory_.answers.used(), 0);
}

TEST_F(PageDoorTest, APackedFileGoesToWhoTakesIt) {
  Start(TwoFiles());
  for (const char* accepted :
       {"gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1.0"}) {
    const auto script = Get("/assets/a-1.js", accepted);
    EXPECT_EQ(script->body, "packed") << accepted;
    EXPECT_EQ(script->get_header_value("Content-Encoding"), "gzip");
    EXPECT_THAT(script->get_header_value("Cache-Control"),
                HasSubstr("immutable"));
  }
  for (const char* accepted : {"", "br", "gzip;q=0", "gzip;q=0.0", "xgzip"}) {
    const auto script = Get("/assets/a-1.js", accepted);
    EXPECT_EQ(script->body, "let a;") << accepted;
    EXPECT_FALSE(script->has_header("Content-Encoding"));
    EXPECT_EQ(script->get_header_value("Vary"), "Accept-Encoding");
  }
  EXPECT_EQ(Get("/", "gzip")->body, "<p>hello");
}

TEST_F(PageDoorTest, TheRulesOfTheDoorHold) {
  Start(TwoFiles());
  EXPECT_EQ(Get("/", "", "evil.example")->status, 421);
  EXPECT_EQ(Get("/assets/b.js")->status, 404);
  httplib::Client client("127.0.0.1", door_->port());
  const auto posted = client.Post("/", "", "text/plain");
  EXPECT_EQ(posted->status, 405);
  EXPECT_EQ(posted->get_header_value("Allow"), "GET");
}

TEST_F(PageDoorTest, WithoutRoomTheAnswerSaysSo) {
  const std::string large(static_cast<size_t>(memory_.answers.limit()), 'x');
  Start({{"/", "text/html", large, "", false}});
  const auto held = memory_.answers.TryTake({"ipv4:127.0.0.1", ""}, 1);
  ASSERT_TRUE(held.has_value());
  const auto refused = Get("/");
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->get_header_value("Retry-After"), "1");
  EXPECT_THAT(refused->body, HasSubstr("Ask again."));
}

TEST_F(PageDoorTest, ABuildWithoutThePageSaysSo) {
  Start(PageFiles());  // no_page.cc.
  const auto index = Get("/", "gzip");
  EXPECT_EQ(index->status, 200);
  EXPECT_THAT(index->get_header_value("Content-Type"),
              StartsWith("text/plain"));
  EXPECT_THAT(index->body,
              StartsWith("This server was built without its page"));
}

}  // namespace
}  // namespace alignsae
