// The front door over real sockets, with the fake executor behind the
// scheduler: what requests are answered, and that every call ends.

#include "server/http/front_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "alignsae/v1/steering_service.pb.h"
#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"
#include "server/http/connect_codec.h"
#include "server/http/connect_rpcs.h"
#include "tests/support/gzip_bytes.h"
#include "tests/support/raw_peer.h"
#include "tests/support/serving_fixture.h"

namespace alignsae {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kComplete[] = "/alignsae.v1.SteeringService/Complete";
constexpr char kGenerate[] = "/alignsae.v1.SteeringService/Generate";
// Until the context is full; "\x01"s, which are no end.
constexpr char kLong[] =
    R"({"prompt": {"tokenIds": {"ids": [5]}},)"
    R"( "generation": {"maxNewTokens": 63, "ignoreEos": true}})";

class FrontDoorTest : public ServingTest {
 protected:
  FrontDoorTest() { env_.config.http.listen = {"127.0.0.1", 0}; }
  ~FrontDoorTest() override {
    registry_.EndAll();
    if (door_ != nullptr) door_->Shutdown();
    lanes_.Stop();
  }

  void Start() { ASSERT_OK_AND_ASSIGN(door_, FrontDoor::Start(&env_)); }
  httplib::Result Post(const std::string& path, const std::string& body,
                       const std::string& type = "application/json",
                       const httplib::Headers& headers = {}) {
    httplib::Client client("127.0.0.1", door_->port());
    return client.Post(path, headers, body, type);
  }
  // As a peer that may go at any time.
  std::string Bytes(const std::string& path, const std::string& body,
                    const std::string& type) {
    return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: localhost\r\n",
                        "Content-Type: ", type,
                        "\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
  }
  // Steps that take their time, so that answers can be left in the middle.
  void Slow() {
    executor_.before_step = [] { absl::SleepFor(absl::Milliseconds(5)); };
    executor_.next_token = [](const std::vector<int32_t>&) { return 1; };
  }
  bool AllCallsEnd() const {
    for (int i = 0; i < 1000 && open_calls_ > 0; ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
    return open_calls_ == 0;
  }
  std::string Requests(const std::string& code, const std::string& method) {
    return absl::StrCat("alignsae_rpc_requests_total{code=\"", code,
                        "\",method=\"SteeringService/", method, "\"}");
  }

  std::unique_ptr<FrontDoor> door_;
};

// The messages of a stream's envelopes; the last is its end.
std::vector<json> Messages(absl::string_view body) {
  std::vector<json> messages;
  while (body.size() >= 5) {
    uint32_t size = 0;
    for (int i = 1; i < 5; ++i) {
      size = (size << 8) | static_cast<uint8_t>(body[static_cast<size_t>(i)]);
    }
    EXPECT_EQ(body[0], body.size() == size + 5 ? 2 : 0);
    const absl::string_view message = body.substr(5, size);
    messages.push_back(json::parse(message.begin(), message.end()));
    body.remove_prefix(size + 5);
  }
  EXPECT_TRUE(body.empty());
  return messages;
}

TEST_F(FrontDoorTest, AUnaryCallHasTheSameAnswerInBothCodecs) {
  Load();
  Start();
  const auto as_json = Post(
      kComplete,
      R"({"prompt": {"text": "a the"}, "generation": {"maxNewTokens": 3}})",
      "application/json; charset=utf-8", {{"X-Request-Id", "mine"}});
  ASSERT_TRUE(as_json);
  EXPECT_EQ(as_json->status, 200);
  EXPECT_EQ(as_json->get_header_value("Content-Type"), "application/json");
  EXPECT_EQ(as_json->get_header_value("x-request-id"), "mine");
  v1::CompleteResponse one;
  ASSERT_OK(ParseMessage(Codec::kJson, as_json->body, &one));
  EXPECT_EQ(one.info().request_id(), "mine");
  EXPECT_EQ(one.arms(0).tokens_size(), 3);
  v1::CompleteRequest request;
  request.mutable_prompt()->set_text("a the");
  request.mutable_generation()->set_max_new_tokens(3);
  const auto as_proto = Post(kComplete, request.SerializeAsString(),
                             "application/proto", {{"X-Request-Id", "mine"}});
  ASSERT_TRUE(as_proto);
  EXPECT_EQ(as_proto->get_header_value("Content-Type"), "application/proto");
  v1::CompleteResponse two;
  ASSERT_TRUE(two.ParseFromString(as_proto->body));
  two.set_seed(one.seed());  // Fresh ones.
  EXPECT_EQ(one.SerializeAsString(), two.SerializeAsString());
  EXPECT_TRUE(Reaches(Requests("OK", "Complete"), "2"));
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_EQ(memory_.answers.used() + memory_.requests.used(), 0);
}

TEST_F(FrontDoorTest, EveryRpcHasItsPath) {
  for (const std::string& method : RpcMethods()) {
    // HTTP/1.1 cannot carry a stream both ways.
    EXPECT_EQ(FindConnectRpc("/alignsae.v1." + method) != nullptr,
              method != "ConceptService/ReadConceptsStream")
        << method;
  }
  EXPECT_EQ(FindConnectRpc("/alignsae.v1.ModelService"), nullptr);
}

TEST_F(FrontDoorTest, AFailureHasItsStatusAndDetails) {
  Load();
  Start();
  const auto bad = Post(kComplete, R"({"prompt": {"text": "a"},)"
                                   R"( "generation": {"topP": 1.5}})");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->status, 400);
  const json error = json::parse(bad->body);
  EXPECT_EQ(error["code"], "invalid_argument");
  EXPECT_EQ(error["message"], "generation.top_p: must be in (0, 1], got 1.5");
  EXPECT_EQ(error["details"][0]["debug"]["reason"], "INVALID_FIELD");
  EXPECT_EQ(error["details"][0]["debug"]["metadata"]["request_id"],
            bad->get_header_value("x-request-id"));
  const auto malformed = Post(kComplete, R"({"prompt": {"txt": "a"}})");
  EXPECT_EQ(malformed->status, 400);
  EXPECT_THAT(json::parse(malformed->body)["message"].get<std::string>(),
              StartsWith("prompt.txt: must be a field"));
  EXPECT_TRUE(Reaches(Requests("INVALID_ARGUMENT", "Complete"), "2"));
}

TEST_F(FrontDoorTest, IsUnavailableWhileTheModelIsLoading) {
  Start();
  const auto refused = Post(kComplete, R"({"prompt": {"text": "a"}})");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_NE(refused->get_header_value("Retry-After"), "");
  EXPECT_EQ(json::parse(refused->body)["details"][0]["debug"]["reason"],
            "STARTING");
  const auto stream = Post(kGenerate, Envelope(0, R"({"prompt": {}})"),
                           "application/connect+json");
  EXPECT_EQ(stream->status, 200);
  EXPECT_EQ(Messages(stream->body).back()["error"]["code"], "unavailable");
  const auto completion =
      Post("/v1/completions", R"({"model": "small", "prompt": "a"})");
  EXPECT_EQ(completion->status, 503);
}

TEST_F(FrontDoorTest, RefusesWhatIsNoCall) {
  Load();
  Start();
  const std::string body = R"({"prompt": {"text": "a"}})";
  for (const char* type :
       {"text/plain", "multipart/form-data", "application/grpc",
        "application/connect+json", "application/x-www-form-urlencodedx"}) {
    const auto refused = Post(kComplete, body, type);
    EXPECT_EQ(refused->status, 415) << type;
    EXPECT_EQ(refused->get_header_value("Accept-Post"),
              "application/json, application/proto");
  }
  EXPECT_EQ(Post(kGenerate, body)->status, 415);
  EXPECT_EQ(Post("/alignsae.v1.SteeringService/Nothing", body)->status, 404);
  EXPECT_EQ(Post("/v1/chat/completions", body)->status, 404);
  httplib::Client client("127.0.0.1", door_->port());
  EXPECT_EQ(client.Get(kComplete)->status, 405);
  EXPECT_EQ(
      Post(kComplete, body, "application/json", {{"Content-Encoding", "br"}})
          ->status,
      415);
  EXPECT_EQ(Post(kComplete, body, "application/json",
                 {{"Connect-Protocol-Version", "2"}})
                ->status,
            400);
  EXPECT_EQ(
      Post(kComplete, body, "application/json", {{"Connect-Timeout-Ms", "-1"}})
          ->status,
      400);
  EXPECT_EQ(Post(kComplete, body, "application/json",
                 {{"Origin", "https://evil.example"}})
                ->status,
            403);
  EXPECT_EQ(Post(kComplete, std::string((1 << 20) + 1, ' '))->status, 413);
  EXPECT_EQ(executor_.steps.size(), 0u);
  EXPECT_TRUE(
      Reaches("alignsae_http_refused_total{reason=\"content_type\"}", "7"));
}

TEST_F(FrontDoorTest, AStreamIsEnvelopesAndAnEnd) {
  Load();
  Start();
  const auto answer =
      Post(kGenerate,
           Envelope(0, R"({"prompt": {"tokenIds": {"ids": [5]}},)"
                       R"( "generation": {"maxNewTokens": 3}})"),
           "application/connect+json");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->get_header_value("Content-Type"),
            "application/connect+json");
  const std::vector<json> messages = Messages(answer->body);
  ASSERT_EQ(messages.size(), 1u + 3 + 1 + 1 + 1);
  EXPECT_TRUE(messages.front().contains("started"));
  EXPECT_TRUE(messages[5].contains("summary"));
  EXPECT_EQ(messages.back(), json::object());
  const auto refused =
      Post(kGenerate, Envelope(0, R"({"prompt": {"text": ""}})"),
           "application/connect+json");
  EXPECT_EQ(refused->status, 200);
  EXPECT_EQ(Messages(refused->body).back()["error"]["message"],
            "prompt.text: must hold 1 to 65536 bytes, got 0");
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, ADeadlineEndsACall) {
  Slow();
  Load();
  Start();
  const auto late = Post(kComplete, kLong, "application/json",
                         {{"Connect-Timeout-Ms", "60"}});
  ASSERT_TRUE(late);
  EXPECT_EQ(late->status, 504);
  EXPECT_EQ(json::parse(late->body)["code"], "deadline_exceeded");
}

TEST_F(FrontDoorTest, APeerThatGoesFreesTheSlotOfAUnaryCall) {
  Slow();
  Load();
  Start();
  {
    RawPeer peer(door_->port());
    peer.Send(Bytes(kComplete, kLong, "application/json"));
    ASSERT_TRUE(Reaches("alignsae_kv_slots_in_use", "1"));
  }
  EXPECT_TRUE(Reaches(Requests("CANCELLED", "Complete"), "1"));
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, APeerThatGoesFreesTheSlotOfAStream) {
  Slow();
  Load();
  Start();
  {
    RawPeer peer(door_->port());
    peer.Send(Bytes(kGenerate, Envelope(0, kLong), "application/connect+json"));
    EXPECT_THAT(peer.ReadUntil("token\""), HasSubstr("started"));
  }
  EXPECT_TRUE(Reaches(Requests("CANCELLED", "Generate"), "1"));
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, APeerThatGoesFreesTheSlotsOfACompletion) {
  Slow();
  Load();
  Start();
  for (const char* more : {"", R"(, "stream": true)"}) {
    {
      RawPeer peer(door_->port());
      peer.Send(Bytes("/v1/completions",
                      absl::StrCat(R"({"model": "small", "prompt": [5],)"
                                   R"( "n": 2, "max_tokens": 63)",
                                   more, "}"),
                      "application/json"));
      ASSERT_TRUE(Reaches("alignsae_kv_slots_in_use", "2"));
    }
    EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
    EXPECT_TRUE(AllCallsEnd());
    for (const char* method : {"Complete", "Generate"}) {
      EXPECT_TRUE(Reaches(
          absl::StrCat("alignsae_rpc_in_flight{method=\"SteeringService/",
                       method, "\"}"),
          "0"));
    }
  }
}

TEST_F(FrontDoorTest, AReaderThatTakesNothingIsEnded) {
  env_.unread.max_age = absl::Milliseconds(200);
  env_.config.limits.max_top_logprobs = 200;
  Slow();
  Load();
  Start();
  RawPeer peer(door_->port(), 1024);
  // Some 20 KiB a token.
  peer.Send(Bytes(kGenerate,
                  Envelope(0, R"({"prompt": {"tokenIds": {"ids": [5]}},)"
                              R"( "generation": {"maxNewTokens": 63,)"
                              R"( "topLogprobs": 200}})"),
                  "application/connect+json"));
  EXPECT_TRUE(Reaches(Requests("RESOURCE_EXHAUSTED", "Generate"), "1"));
  EXPECT_TRUE(AllCallsEnd());
  EXPECT_TRUE(Reaches("alignsae_kv_slots_in_use", "0"));
}

TEST_F(FrontDoorTest, ModelsAreListedAsOpenAiDoes) {
  Load();
  Start();
  const auto answer =
      httplib::Client("127.0.0.1", door_->port()).Get("/v1/models");
  ASSERT_TRUE(answer);
  const json models = json::parse(answer->body);
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"][0]["id"], "small");
}

TEST_F(FrontDoorTest, ACompletionHasAChoiceForEachPromptAndEachOfN) {
  Load();
  Start();
  const auto answer = Post(
      "/v1/completions",
      R"({"model": "small", "prompt": [[5], [6]], "n": 2, "max_tokens": 3,)"
      R"( "temperature": 0, "logprobs": 2})");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200) << answer->body;
  const json completion = json::parse(answer->body);
  EXPECT_EQ(completion["object"], "text_completion");
  EXPECT_EQ(completion["id"],
            "cmpl-" + answer->get_header_value("x-request-id"));
  ASSERT_EQ(completion["choices"].size(), 4u);
  for (int i = 0; i < 4; ++i) {
    const json& choice = completion["choices"][static_cast<size_t>(i)];
    EXPECT_EQ(choice["index"], i);
    EXPECT_EQ(choice["finish_reason"], "length");
    std::string tokens;
    for (const json& token : choice["logprobs"]["tokens"]) {
      tokens += token.get<std::string>();
    }
    EXPECT_EQ(choice["text"], tokens);
    EXPECT_EQ(choice["logprobs"]["top_logprobs"][2].size(), 2u);
    EXPECT_EQ(choice["logprobs"]["text_offset"][0], 0);
  }
  EXPECT_EQ(completion["choices"][0]["text"], completion["choices"][1]["text"]);
  EXPECT_NE(completion["choices"][0]["text"], completion["choices"][2]["text"]);
  EXPECT_EQ(completion["usage"], json({{"prompt_tokens", 2},
                                       {"completion_tokens", 12},
                                       {"total_tokens", 14}}));
}

// The data of server-sent events.
std::vector<std::string> Events(const std::string& body) {
  std::vector<std::string> events;
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find("\n\n", at);
    EXPECT_EQ(body.substr(at, 6), "data: ");
    events.push_back(body.substr(at + 6, end - at - 6));
    at = end + 2;
  }
  return events;
}

TEST_F(FrontDoorTest, AStreamedCompletionSaysTheSame) {
  Load();
  Start();
  const std::string request =
      R"({"model": "small", "prompt": ["a", "the"], "max_tokens": 4,)"
      R"( "temperature": 0, "echo": true, "steering": [{"target":)"
      R"( {"name": "job"}, "mode": "INTERVENTION_MODE_ABLATE"}])";
  const auto whole = Post("/v1/completions", request + "}");
  ASSERT_EQ(whole->status, 200) << whole->body;
  const auto streamed = Post(
      "/v1/completions",
      request +
          R"(, "stream": true, "stream_options": {"include_usage": true}})");
  ASSERT_TRUE(streamed);
  EXPECT_EQ(streamed->get_header_value("Content-Type"), "text/event-stream");
  std::vector<std::string> events = Events(streamed->body);
  ASSERT_GE(events.size(), 3u);
  EXPECT_EQ(events.back(), "[DONE]");
  events.pop_back();
  const json completion = json::parse(whole->body);
  std::vector<std::string> texts(2);
  std::vector<json> ends(2);
  std::vector<json> receipts(2);
  json usage;
  for (const std::string& event : events) {
    const json chunk = json::parse(event);
    EXPECT_EQ(chunk["object"], "text_completion");
    if (chunk.contains("usage")) usage = chunk["usage"];
    for (const json& choice : chunk["choices"]) {
      const size_t index = choice["index"].get<size_t>();
      texts[index] += choice["text"].get<std::string>();
      if (!choice["finish_reason"].is_null()) {
        ends[index] = choice["finish_reason"];
      }
      if (choice.contains("steering")) receipts[index] = choice["steering"];
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    const json& choice = completion["choices"][i];
    EXPECT_EQ(texts[i], choice["text"]);
    EXPECT_EQ(ends[i], choice["finish_reason"]);
    json receipt = choice["steering"];
    EXPECT_NE(receipts[i][0]["receiptId"], receipt[0]["receiptId"]);
    receipt[0]["receiptId"] = receipts[i][0]["receiptId"];  // Of its own call.
    EXPECT_EQ(receipts[i], receipt);
    EXPECT_EQ(receipts[i][0]["targetConcept"], "job");
  }
  EXPECT_THAT(texts[0], StartsWith("a"));
  EXPECT_EQ(usage, completion["usage"]);
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, AnEchoedPromptHasItsLogprobsWholeAndStreamed) {
  Load();
  Start();
  const std::string request =
      R"({"model": "small", "prompt": "abcdefg", "max_tokens": 2, "n": 2,)"
      R"( "temperature": 0, "echo": true, "logprobs": 2)";
  const auto whole = Post("/v1/completions", request + "}");
  ASSERT_EQ(whole->status, 200) << whole->body;
  const json choice = json::parse(whole->body)["choices"][1];
  const json& logprobs = choice["logprobs"];
  EXPECT_THAT(choice["text"].get<std::string>(), StartsWith("abcdefg"));
  ASSERT_EQ(logprobs["tokens"].size(), 9u);
  EXPECT_EQ(logprobs["tokens"][0], "a");
  EXPECT_TRUE(logprobs["token_logprobs"][0].is_null());
  EXPECT_TRUE(logprobs["top_logprobs"][0].is_null());
  for (size_t i = 1; i < 9; ++i) {
    EXPECT_EQ(logprobs["token_logprobs"][i], -0.5) << i;
    EXPECT_EQ(logprobs["top_logprobs"][i].size(), 2u) << i;
  }
  EXPECT_EQ(logprobs["text_offset"][7], 7);
  const auto streamed =
      Post("/v1/completions", request + R"(, "stream": true})");
  json together = {{"tokens", json::array()},
                   {"token_logprobs", json::array()},
                   {"top_logprobs", json::array()},
                   {"text_offset", json::array()}};
  std::string text;
  for (const std::string& event : Events(streamed->body)) {
    if (event == "[DONE]") continue;
    const json chunk = json::parse(event);
    for (const json& part : chunk["choices"]) {
      if (part["index"] != 1) continue;
      text += part["text"].get<std::string>();
      if (part["logprobs"].is_null()) continue;
      for (auto& [key, list] : together.items()) {
        for (const json& one : part["logprobs"][key]) list.push_back(one);
      }
    }
  }
  EXPECT_EQ(text, choice["text"]);
  EXPECT_EQ(together, logprobs);
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, OnlyThePromptIsToldWhereNoTokensAreAsked) {
  Load();
  Start();
  for (const char* stream : {"", R"(, "stream": true)"}) {
    const auto answer = Post(
        "/v1/completions",
        absl::StrCat(R"({"model": "small", "prompt": [64, 65], "max_tokens":)"
                     R"( 0, "echo": true, "logprobs": 0)",
                     stream, "}"));
    ASSERT_EQ(answer->status, 200) << answer->body;
    std::string text;
    std::string end;
    size_t tokens = 0;
    std::vector<std::string> events = {answer->body};
    if (*stream != '\0') events = Events(answer->body);
    for (const std::string& event : events) {
      if (event == "[DONE]") continue;
      const json chunk = json::parse(event);
      for (const json& choice : chunk["choices"]) {
        text += choice["text"].get<std::string>();
        if (choice["logprobs"].is_object()) {
          tokens += choice["logprobs"]["tokens"].size();
        }
        if (choice["finish_reason"].is_string()) end = choice["finish_reason"];
      }
    }
    EXPECT_EQ(text, "ab");
    EXPECT_EQ(tokens, 2u);
    EXPECT_EQ(end, "length");
  }
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, ACompletionFailsAsOpenAisDo) {
  Load();
  Start();
  const auto error = [this](const std::string& body) {
    const auto answer = Post("/v1/completions", body);
    return std::make_pair(answer->status, json::parse(answer->body)["error"]);
  };
  auto [status, unknown] = error(R"({"model": "gpt-4", "prompt": "a"})");
  EXPECT_EQ(status, 404);
  EXPECT_EQ(unknown["code"], "model_not_found");
  EXPECT_EQ(unknown["param"], "model");
  for (const char* stream : {"", R"(, "stream": true)"}) {
    auto [bad, top_p] = error(absl::StrCat(
        R"({"model": "small", "prompt": "a", "top_p": 2)", stream, "}"));
    EXPECT_EQ(bad, 400);
    EXPECT_EQ(top_p["message"], "top_p: must be in (0, 1], got 2");
    EXPECT_EQ(top_p["param"], "top_p");
    EXPECT_EQ(top_p["type"], "invalid_request_error");
    EXPECT_EQ(top_p["code"], "INVALID_FIELD");
  }
  // One bad prompt among good ones: nothing goes on without an answer.
  auto [one, long_prompt] =
      error(R"({"model": "small", "prompt": [[5], [999]], "max_tokens": 5})");
  EXPECT_EQ(one, 400);
  EXPECT_THAT(long_prompt["message"].get<std::string>(),
              StartsWith("prompt[0]: must be in [0, 259]"));
  EXPECT_TRUE(AllCallsEnd());
}

// What `curl -d` sends.
TEST_F(FrontDoorTest, AFormsTypeIsJsonWhereNoPageAsks) {
  env_.config.http.allowed_origins = {"https://page.example"};
  Load();
  Start();
  constexpr char kForm[] = "application/x-www-form-urlencoded";
  const std::string body = R"({"prompt": {"text": "a"}})";
  EXPECT_EQ(Post(kComplete, body, kForm)->status, 200);
  EXPECT_EQ(
      Post(kComplete, body, "Application/X-WWW-Form-Urlencoded; x=1")->status,
      200);
  EXPECT_EQ(
      Post("/v1/completions", R"({"model": "small", "prompt": "a"})", kForm)
          ->status,
      200);
  // A stream's message is in an envelope, which no form makes.
  EXPECT_EQ(Post(kGenerate, body, kForm)->status, 415);
  EXPECT_EQ(Post(kComplete, "prompt=a", kForm)->status, 400);
  const std::string own = absl::StrCat("http://127.0.0.1:", door_->port());
  for (const httplib::Headers& page :
       {httplib::Headers{{"Origin", "https://page.example"}},
        httplib::Headers{{"Origin", own}},
        httplib::Headers{{"Sec-Fetch-Site", "cross-site"}},
        httplib::Headers{{"Sec-Fetch-Site", "none"}},
        httplib::Headers{{"Referer", "https://evil.example/"}}}) {
    EXPECT_EQ(Post(kComplete, body, kForm, page)->status, 415)
        << page.begin()->first << page.begin()->second;
  }
  EXPECT_EQ(Post(kComplete, body, kForm, {{"Origin", "null"}})->status, 403);
  EXPECT_EQ(Post(kComplete, body, kForm, {{"Host", "evil.example"}})->status,
            421);
  RawPeer peer(door_->port());
  peer.Send(absl::StrCat("POST ", kComplete, " HTTP/1.1\r\nHost: localhost\r\n",
                         "Origin:\r\nContent-Type: ", kForm,
                         "\r\nContent-Length: ", body.size(), "\r\n\r\n",
                         body));
  EXPECT_THAT(peer.ReadUntil("\r\n"), HasSubstr(" 415 "));
  EXPECT_TRUE(AllCallsEnd());
}

TEST_F(FrontDoorTest, ReadsCompressedRequestsWithinTheLimit) {
  Load();
  Start();
  const httplib::Headers gzip = {{"Content-Encoding", "gzip"}};
  const std::string body =
      R"({"prompt": {"text": "a"}, "generation": {"maxNewTokens": 3}})";
  const auto inflated = Post(kComplete, Gzip(body), "application/json", gzip);
  ASSERT_EQ(inflated->status, 200) << inflated->body;
  EXPECT_EQ(json::parse(inflated->body)["arms"],
            json::parse(Post(kComplete, body)->body)["arms"]);
  EXPECT_EQ(
      Post("/v1/completions", Gzip(R"({"model": "small", "prompt": "a"})"),
           "application/json", gzip)
          ->status,
      200);
  const std::string bomb = Gzip(std::string(64 << 20, ' '));
  for (const char* path : {kComplete, "/v1/completions"}) {
    const auto refused = Post(path, bomb, "application/json", gzip);
    EXPECT_EQ(refused->status, 400) << path;
    EXPECT_THAT(refused->body, HasSubstr("1048576 bytes when inflated"));
    EXPECT_EQ(Post(path, "{}", "application/json", gzip)->status, 400);
  }
  EXPECT_TRUE(AllCallsEnd());
  for (int i = 0; i < 500 && memory_.requests.used() > 0; ++i) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  EXPECT_EQ(memory_.requests.used(), 0);
}

TEST_F(FrontDoorTest, DescribesEveryPathThatItHas) {
  Start();  // Without a model too.
  httplib::Client client("127.0.0.1", door_->port());
  const auto answer = client.Get("/openapi.json");
  ASSERT_EQ(answer->status, 200);
  const json paths = json::parse(answer->body)["paths"];
  size_t rpcs = 0;
  for (const auto& [path, unused] : paths.items()) {
    if (!absl::StartsWith(path, "/alignsae.v1.")) continue;
    ++rpcs;
    EXPECT_NE(FindConnectRpc(path), nullptr) << path;
  }
  size_t expected = 0;
  for (const char* name :
       {"ConceptService", "ModelService", "SteeringService"}) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            absl::StrCat("alignsae.v1.", name));
    for (int i = 0; i < service->method_count(); ++i) {
      if (service->method(i)->client_streaming()) continue;
      ++expected;
      EXPECT_TRUE(paths.contains(absl::StrCat("/alignsae.v1.", name, "/",
                                              service->method(i)->name())));
    }
  }
  EXPECT_EQ(rpcs, expected);
  EXPECT_EQ(client.Post("/openapi.json", "{}", "application/json")->status,
            405);
}

TEST_F(FrontDoorTest, APageThatMayCallCanReadTheAnswer) {
  env_.config.http.allowed_origins = {"https://page.example"};
  Load();
  Start();
  const auto answer =
      Post(kComplete, R"({"prompt": {"text": ""}})", "application/json",
           {{"Origin", "https://page.example"}});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 400);
  EXPECT_EQ(answer->get_header_value("Access-Control-Allow-Origin"),
            "https://page.example");
  httplib::Client client("127.0.0.1", door_->port());
  const auto preflight = client.Options(
      kComplete, {{"Origin", "https://page.example"},
                  {"Access-Control-Request-Method", "POST"},
                  {"Access-Control-Request-Headers", "content-type"}});
  ASSERT_TRUE(preflight);
  EXPECT_EQ(preflight->status, 204);
}

}  // namespace
}  // namespace alignsae
