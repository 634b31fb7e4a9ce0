#include "server/http/http_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "model/base/mutex.h"
#include "tests/support/raw_peer.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Post(const std::string& path, const std::string& body,
                 const std::string& more = "") {
  return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\n", more,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

HttpReply Text(const std::string& text, int status = 200) {
  HttpReply reply;
  reply.status = status;
  reply.body = text;
  return reply;
}

// A door whose exchanges wait for the test, but for /echo, which is answered at
// once, and /no, whose head is refused.
class HttpDoorTest : public ::testing::Test {
 protected:
  HttpDoorTest() {
    options_.max_body_bytes = 1000;
    options_.memory = &memory_;
    options_.greet = [](const HttpRequest& request) {
      return request.path == "/greet" ? std::optional<HttpReply>(Text("hello"))
                                      : std::nullopt;
    };
    options_.check =
        [](const HttpRequest& request) -> std::optional<HttpFailure> {
      if (request.path != "/no") return std::nullopt;
      return HttpFailure{403, HttpRefusal::kHost, "no"};
    };
    options_.handle = [this](std::shared_ptr<DoorExchange> exchange) {
      if (exchange->request().path == "/echo") {
        exchange->Answer(Text(exchange->request().body));
        return;
      }
      MutexLock lock(&mutex_);
      exchanges_.push_back(std::move(exchange));
      changed_.NotifyAll();
    };
    options_.refuse = [](const HttpRequest&, const HttpFailure& failure) {
      return Text(failure.sentence, failure.status);
    };
    options_.decorate = [](const HttpRequest&, HttpReply* reply) {
      reply->headers.push_back({"X-Door", "yes"});
    };
    options_.count_refusal = [this](HttpRefusal reason) {
      MutexLock lock(&mutex_);
      refused_.push_back(reason);
    };
  }

  void Start() {
    ASSERT_OK_AND_ASSIGN(door_, HttpDoor::Start("127.0.0.1", 0, options_));
  }
  // The next request that waits for its answer.
  std::shared_ptr<DoorExchange> Next() {
    MutexLock lock(&mutex_);
    while (exchanges_.empty()) changed_.Wait(&mutex_);
    std::shared_ptr<DoorExchange> exchange = std::move(exchanges_.front());
    exchanges_.erase(exchanges_.begin());
    return exchange;
  }
  std::vector<HttpRefusal> refused() {
    MutexLock lock(&mutex_);
    return refused_;
  }

  DoorOptions options_;
  MemoryBudget memory_{10000};
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::shared_ptr<DoorExchange>> exchanges_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpRefusal> refused_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpDoor> door_;  // Goes first.
};

TEST_F(HttpDoorTest, AnswersOneRequestAfterAnotherOnAConnection) {
  Start();
  RawPeer peer(door_->port());
  peer.Send(Post("/echo", "one") + Post("/echo", "two"));
  EXPECT_THAT(peer.ReadUntil("one"), HasSubstr("X-Door: yes\r\n"));
  EXPECT_THAT(peer.ReadUntil("two"), StartsWith("HTTP/1.1 200 OK\r\n"));
  peer.Send("POST /echo HTTP/1.1\r\nHost: x\r\n");
  peer.Send("Transfer-Encoding: chunked\r\n\r\n3\r\nthr");
  peer.Send("\r\n2\r\nee\r\n0\r\n\r\n");
  EXPECT_THAT(peer.ReadUntil("three"), HasSubstr("Content-Length: 5\r\n"));
  peer.Send(Post("/echo", "last", "Connection: close\r\n"));
  EXPECT_THAT(peer.ReadAll(), EndsWith("last"));
  EXPECT_EQ(memory_.used(), 0);
}

TEST_F(HttpDoorTest, SaysContinueToOneThatWaitsForIt) {
  Start();
  RawPeer peer(door_->port());
  peer.Send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
      "Content-Length: 4\r\n\r\n");
  EXPECT_EQ(peer.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.Send("body");
  EXPECT_THAT(peer.ReadUntil("body"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpDoorTest, RefusesBeforeTheBodyAndEndsTheConnection) {
  Start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", " 403 "},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n",
       " 413 "},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3e9\r\n",
       " 413 "},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
       "x\r\n",
       " 400 "},
      {"nonsense\r\n\r\n", " 400 "},
      {absl::StrCat("GET / HTTP/1.1\r\nX: ", std::string(17000, 'x')),
       " 431 "}};
  for (const auto& [bytes, status] : cases) {
    RawPeer peer(door_->port());
    peer.Send(bytes);
    const std::string answer = peer.ReadAll();
    EXPECT_THAT(answer, StartsWith(absl::StrCat("HTTP/1.1", status)));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  }
  EXPECT_THAT(refused(),
              ::testing::ElementsAre(HttpRefusal::kHost, HttpRefusal::kBody,
                                     HttpRefusal::kBody, HttpRefusal::kBody,
                                     HttpRefusal::kHead, HttpRefusal::kHead));
  EXPECT_EQ(memory_.used(), 0);
}

TEST_F(HttpDoorTest, GreetsWithoutAHandler) {
  Start();
  RawPeer peer(door_->port());
  peer.Send("OPTIONS /greet HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(peer.ReadUntil("hello"), StartsWith("HTTP/1.1 200 OK\r\n"));
  peer.Send(Post("/echo", "again"));
  EXPECT_THAT(peer.ReadUntil("again"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpDoorTest, WithoutMemoryForABodyItIsRefused) {
  Start();
  const auto all = memory_.TryTake({"other", ""}, 10000);
  ASSERT_TRUE(all.has_value());
  RawPeer peer(door_->port());
  peer.Send(Post("/echo", "body"));
  EXPECT_THAT(peer.ReadAll(), StartsWith("HTTP/1.1 429 "));
}

TEST_F(HttpDoorTest, ABodyIsHeldUntilItIsDropped) {
  Start();
  RawPeer peer(door_->port());
  peer.Send(Post("/wait", std::string(700, 'x')));
  const auto exchange = Next();
  EXPECT_EQ(memory_.used(), 700);
  exchange->DropBody();
  EXPECT_EQ(memory_.used(), 0);
  exchange->Answer(Text("done"));
  EXPECT_THAT(peer.ReadUntil("done"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpDoorTest, ARequestThatDripsIsRefusedInTime) {
  options_.max_request_time = absl::Milliseconds(100);
  Start();
  RawPeer peer(door_->port());
  peer.Send("POST /echo HT");
  EXPECT_THAT(peer.ReadAll(), StartsWith("HTTP/1.1 408 "));
  RawPeer half(door_->port());
  half.Send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab");
  EXPECT_THAT(half.ReadAll(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpDoorTest, AConnectionWithoutARequestIsClosed) {
  options_.max_idle_time = absl::Milliseconds(50);
  Start();
  EXPECT_EQ(RawPeer(door_->port()).ReadAll(), "");
}

TEST_F(HttpDoorTest, TellsThatThePeerHasGoneAndThatItIsOver) {
  Start();
  absl::Notification gone;
  absl::Notification done;
  std::shared_ptr<DoorExchange> exchange;
  {
    RawPeer peer(door_->port());
    peer.Send(Post("/wait", ""));
    exchange = Next();
    exchange->OnGone([&gone] { gone.Notify(); });
    exchange->OnDone([&done] { done.Notify(); });
  }
  gone.WaitForNotification();
  EXPECT_FALSE(done.HasBeenNotified());
  exchange->Answer(Text("too late"));
  done.WaitForNotification();
}

TEST_F(HttpDoorTest, APeerThatHasGoneIsToldOfAtOnce) {
  Start();
  std::shared_ptr<DoorExchange> exchange;
  {
    RawPeer peer(door_->port());
    peer.Send(Post("/wait", ""));
    exchange = Next();
    while (door_->connections() == 0) absl::SleepFor(absl::Milliseconds(1));
  }
  while (door_->connections() > 0) absl::SleepFor(absl::Milliseconds(1));
  bool gone = false;
  exchange->OnGone([&gone] { gone = true; });
  EXPECT_TRUE(gone);
  exchange->Answer(Text(""));
}

TEST_F(HttpDoorTest, WritesAStreamAsThePeerTakesIt) {
  Start();
  RawPeer peer(door_->port());
  peer.Send(Post("/wait", ""));
  const auto exchange = Next();
  exchange->Begin(HttpReply());
  for (const char* part : {"a", "b"}) {
    absl::Notification written;
    exchange->Write(part, [&written](bool ok) {
      EXPECT_TRUE(ok);
      written.Notify();
    });
    written.WaitForNotification();
  }
  exchange->End();
  EXPECT_THAT(peer.ReadUntil("0\r\n\r\n"),
              EndsWith("\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
  peer.Send(Post("/echo", "after"));
  EXPECT_THAT(peer.ReadUntil("after"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpDoorTest, APeerThatDoesNotReadIsGivenUp) {
  Start();
  RawPeer peer(door_->port(), 4096);
  peer.Send(Post("/wait", ""));
  const auto exchange = Next();
  absl::Notification written;
  exchange->Begin(HttpReply());
  exchange->Write(std::string(8 << 20, 'x'), [&written](bool ok) {
    EXPECT_FALSE(ok);
    written.Notify();
  });
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(written.HasBeenNotified());
  exchange->GiveUpAfter(absl::Milliseconds(10));
  written.WaitForNotification();
  exchange->End();
}

TEST_F(HttpDoorTest, MakesRoomForANewcomerOrTellsIt) {
  options_.max_connections = 2;
  Start();
  RawPeer busy(door_->port());
  busy.Send(Post("/wait", ""));
  const auto first = Next();
  RawPeer idle(door_->port());
  idle.Send(Post("/echo", "idle"));
  idle.ReadUntil("idle");
  RawPeer also_busy(door_->port());
  also_busy.Send(Post("/wait", ""));
  const auto second = Next();
  EXPECT_EQ(idle.ReadAll(), "");  // It made room.
  RawPeer surplus(door_->port());
  surplus.Send(Post("/wait", ""));
  const std::string told = surplus.ReadAll();
  EXPECT_THAT(told, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(told, HasSubstr("--http-max-connections"));
  EXPECT_THAT(told, HasSubstr("Retry-After: 1\r\n"));
  EXPECT_THAT(refused(), ::testing::ElementsAre(HttpRefusal::kConnections));
  first->Answer(Text("1"));
  second->Answer(Text("2"));
}

TEST_F(HttpDoorTest, ManyPeersThatSayNothingHoldNobodyUp) {
  Start();
  std::vector<std::unique_ptr<RawPeer>> silent;
  for (int i = 0; i < 400; ++i) {
    silent.push_back(std::make_unique<RawPeer>(door_->port()));
  }
  RawPeer peer(door_->port());
  peer.Send(Post("/echo", "here"));
  EXPECT_THAT(peer.ReadUntil("here"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(HttpDoorTest, ShutdownWaitsForTheEndOfEveryAnswer) {
  Start();
  RawPeer peer(door_->port());
  peer.Send(Post("/wait", ""));
  const auto exchange = Next();
  absl::Notification gone;
  bool over = false;
  exchange->OnGone([&gone] { gone.Notify(); });
  exchange->OnDone([&over] { over = true; });
  std::thread answering([&] {
    gone.WaitForNotification();
    exchange->Begin(HttpReply());
    exchange->End();
  });
  door_->Shutdown();
  EXPECT_TRUE(over);
  answering.join();
}

TEST_F(HttpDoorTest, RefusesAPortThatIsTaken) {
  Start();
  EXPECT_THAT(
      HttpDoor::Start("127.0.0.1", door_->port(), options_),
      StatusIs(absl::StatusCode::kUnavailable,
               absl::StrCat("--http-listen: must be an address that is free, "
                            "got 127.0.0.1:",
                            door_->port())));
}

}  // namespace
}  // namespace alignsae
