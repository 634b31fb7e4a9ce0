#include "server/http/http_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

// 200 when the head is taken.
int StatusOf(const std::string& head) {
  HttpRequest request;
  const std::optional<HttpFailure> failure = ParseHead(head, &request);
  return failure.has_value() ? failure->status : 200;
}

std::string With(const std::string& lines) {
  return absl::StrCat("POST /a HTTP/1.1\r\nHost: x", lines);
}

TEST(ParseHeadTest, TakesWhatAClientSends) {
  HttpRequest request;
  ASSERT_FALSE(ParseHead("POST /a/B?c=/d HTTP/1.1\r\nHost: Example:80\r\n"
                         "Content-Type:\t application/json \r\nEmpty:\r\n"
                         "Content-Length: 12\r\nExpect: 100-Continue",
                         &request)
                   .has_value());
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/a/B");
  EXPECT_EQ(request.Header("host"), "Example:80");
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_EQ(request.Header("empty"), "");
  EXPECT_EQ(request.content_length, 12u);
  EXPECT_TRUE(request.keep_alive);
  EXPECT_TRUE(request.expects_continue);
  EXPECT_FALSE(request.chunked);
  EXPECT_FALSE(request.gzip);
  EXPECT_TRUE(request.Has("empty"));
  EXPECT_FALSE(request.Has("origin"));
}

TEST(ParseHeadTest, SeesACompressedBodyOfOneCoding) {
  HttpRequest request;
  ASSERT_FALSE(
      ParseHead(With("\r\nContent-Encoding: GZIP"), &request).has_value());
  EXPECT_TRUE(request.gzip);
  EXPECT_EQ(StatusOf(With("\r\nContent-Encoding: gzip\r\nContent-Encoding: "
                          "identity")),
            400);
}

TEST(ParseHeadTest, RefusesAMalformedRequestLine) {
  for (const char* line :
       {"", "GET", "GET /", "GET / HTTP/1.1 x", " GET / HTTP/1.1",
        "GET  / HTTP/1.1", "G@T / HTTP/1.1", "GET http://x/ HTTP/1.1",
        "GET * HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1",
        "GET /\nHost: y HTTP/1.1"}) {
    EXPECT_EQ(StatusOf(absl::StrCat(line, "\r\nHost: x")), 400) << line;
  }
  EXPECT_EQ(StatusOf("GET / HTTP/1.0\r\nHost: x"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/2\r\nHost: x"), 505);
}

TEST(ParseHeadTest, RefusesMalformedHeaders) {
  for (const char* line :
       {"no colon", ": value", "a b: c", "a : b", " folded: x", "a: b\nc: d",
        "a: b\rc", "a: \x01", "host: y", "\xc3\xa9: x"}) {
    EXPECT_EQ(StatusOf(With(absl::StrCat("\r\n", line))), 400) << line;
  }
  EXPECT_EQ(StatusOf(With("\r\n")), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nA: b"), 400);  // No host.
  EXPECT_EQ(StatusOf(With(std::string("\r\na: b\0c", 8))), 400);
  EXPECT_EQ(StatusOf(With("\r\nA: \xc3\xa9")), 200);
}

TEST(ParseHeadTest, BoundsTheNumberOfHeaders) {
  std::string lines;
  for (int i = 0; i < 99; ++i) absl::StrAppend(&lines, "\r\nx: y");
  EXPECT_EQ(StatusOf(With(lines)), 200);
  EXPECT_EQ(StatusOf(With(lines + "\r\nx: y")), 431);
}

TEST(ParseHeadTest, RefusesALengthThatCanBeReadTwice) {
  EXPECT_EQ(StatusOf(With("\r\nContent-Length: 5")), 200);
  for (const char* length : {"-1", "+1", "1,1", "0x5", "", "1 2",
                             "99999999999999999999", "1234567890123456"}) {
    EXPECT_EQ(StatusOf(With(absl::StrCat("\r\nContent-Length: ", length))), 400)
        << length;
  }
  EXPECT_EQ(StatusOf(With("\r\nContent-Length: 5\r\nContent-Length: 5")), 400);
  EXPECT_EQ(
      StatusOf(With("\r\nContent-Length: 5\r\nTransfer-Encoding: chunked")),
      400);
  EXPECT_EQ(StatusOf(With("\r\nTransfer-Encoding: Chunked")), 200);
  EXPECT_EQ(StatusOf(With("\r\nTransfer-Encoding: gzip, chunked")), 501);
}

TEST(ParseHeadTest, AConnectionHeaderEndsTheConnection) {
  HttpRequest request;
  ParseHead(With("\r\nConnection: TE, Close"), &request);
  EXPECT_FALSE(request.keep_alive);
}

TEST(RenderHeadTest, SaysHowTheBodyEnds) {
  HttpReply reply;
  reply.headers = {{"X-A", "b"}};
  const std::string whole = RenderHead(reply, 5, true, absl::UnixEpoch());
  EXPECT_THAT(whole, HasSubstr("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(whole, HasSubstr("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
  EXPECT_THAT(whole, HasSubstr("X-A: b\r\n"));
  EXPECT_THAT(whole, HasSubstr("Content-Length: 5\r\n\r\n"));
  EXPECT_THAT(
      RenderHead(reply, std::nullopt, false, absl::UnixEpoch()),
      HasSubstr("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
  EXPECT_EQ(RenderChunk(std::string(17, 'x')),
            absl::StrCat("11\r\n", std::string(17, 'x'), "\r\n"));
}

HttpRequest Chunked() {
  HttpRequest request;
  request.chunked = true;
  return request;
}

// Gives `bytes` in pieces of `step`; what is left behind the body is in `rest`.
HttpBody::State ReadInSteps(HttpBody body, absl::string_view bytes, size_t step,
                            std::string* to, std::string* rest) {
  rest->clear();
  HttpBody::State state = body.Read(rest, to);
  while (state == HttpBody::State::kMore && !bytes.empty()) {
    absl::StrAppend(rest, bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    state = body.Read(rest, to);
  }
  rest->append(bytes.data(), bytes.size());
  return state;
}

TEST(HttpBodyTest, TakesChunksHoweverTheyCome) {
  const std::string bytes =
      "4\r\nabcd\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    std::string body;
    std::string rest;
    EXPECT_EQ(ReadInSteps(HttpBody(Chunked(), 14), bytes, step, &body, &rest),
              HttpBody::State::kDone)
        << step;
    EXPECT_EQ(body, "abcd0123456789") << step;
    EXPECT_EQ(rest, "NEXT") << step;
  }
}

TEST(HttpBodyTest, TakesAsManyBytesAsWereSaid) {
  HttpRequest request;
  request.content_length = 3;
  for (size_t step : {1, 2, 9}) {
    std::string body;
    std::string rest;
    EXPECT_EQ(ReadInSteps(HttpBody(request, 3), "abcdef", step, &body, &rest),
              HttpBody::State::kDone);
    EXPECT_EQ(body, "abc");
    EXPECT_EQ(rest, "def");
  }
  std::string none;
  std::string rest = "def";
  request.content_length = 0;
  EXPECT_EQ(HttpBody(request, 3).Read(&rest, &none), HttpBody::State::kDone);
  EXPECT_EQ(rest, "def");
}

TEST(HttpBodyTest, RefusesWhatIsTooLarge) {
  HttpRequest request;
  request.content_length = 4;
  std::string bytes = "abcd";
  std::string body;
  EXPECT_EQ(HttpBody(request, 3).Read(&bytes, &body),
            HttpBody::State::kTooLarge);
  for (std::string chunks :
       {"4\r\nabcd\r\n", "2\r\nab\r\n2\r\ncd\r\n", "fffffffffffffff\r\n"}) {
    body.clear();
    EXPECT_EQ(HttpBody(Chunked(), 3).Read(&chunks, &body),
              HttpBody::State::kTooLarge)
        << chunks;
  }
}

TEST(HttpBodyTest, RefusesMalformedChunks) {
  for (std::string chunks :
       {"4\nabcd\r\n", "x\r\n", "\r\n", "-4\r\nabcd", "4\r\nabcdX\r\n",
        "4 4\r\n", "0x4\r\nabcd\r\n", "10000000000000000\r\n",
        "0\r\nTrailer: x\n\r\n"}) {
    std::string body;
    EXPECT_EQ(HttpBody(Chunked(), 100).Read(&chunks, &body),
              HttpBody::State::kMalformed)
        << chunks;
  }
  for (const std::string& line :
       {std::string(300, '0'), absl::StrCat("1;", std::string(300, 'x'))}) {
    std::string bytes = line;
    std::string body;
    EXPECT_EQ(HttpBody(Chunked(), 100).Read(&bytes, &body),
              HttpBody::State::kMalformed);
  }
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&trailers, "trailer: x\r\n");
  std::string body;
  EXPECT_EQ(HttpBody(Chunked(), 100).Read(&trailers, &body),
            HttpBody::State::kMalformed);
}

}  // namespace
}  // namespace alignsae
