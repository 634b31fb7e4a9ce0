#include "server/http/connect_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "alignsae/v1/steering_service.pb.h"
#include "google/rpc/error_details.pb.h"
#include "model/base/field_error.h"
#include "model/base/status_payload.h"
#include "nlohmann/json.hpp"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(ContentTypeTest, KnowsTheFourOfConnect) {
  for (const char* type :
       {"application/json", "application/proto", "application/connect+json",
        "application/connect+proto"}) {
    const auto parsed = ParseContentType(type);
    ASSERT_TRUE(parsed.has_value()) << type;
    EXPECT_EQ(ContentTypeOf(*parsed), type);
  }
  EXPECT_EQ(ParseContentType("Application/JSON; charset=utf-8")->codec,
            Codec::kJson);
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded",
        "application/grpc", "application/jsonx", "application/connect",
        "text/plain; application/json", "multipart/form-data"}) {
    EXPECT_FALSE(ParseContentType(type).has_value()) << type;
  }
}

TEST(ParseMessageTest, TakesBothNamesOfAField) {
  for (const char* json :
       {R"({"prompt": {"tokenIds": {"ids": [1]}}, "alpha": 2})",
        R"({"prompt": {"token_ids": {"ids": [1]}}, "alpha": "2"})"}) {
    v1::SwapRequest request;
    ASSERT_OK(ParseMessage(Codec::kJson, json, &request));
    EXPECT_EQ(request.prompt().token_ids().ids(0), 1);
    EXPECT_EQ(request.alpha(), 2);
  }
}

TEST(ParseMessageTest, NamesTheFieldOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"alhpa": 1})",
       "alhpa: must be a field that alignsae.v1.SwapRequest has there"},
      {R"({"prompt": {"txt": "a"}})",
       "prompt.txt: must be a field that alignsae.v1.SwapRequest has there"},
      {R"({"alpha": "much"})",
       "alpha: must be as alignsae.v1.SwapRequest has it, got invalid value "
       "\"much\" for type TYPE_DOUBLE"},
      {R"({"generation": {"seed": -1}})", "generation.seed: must be as"},
      {R"({"generation": {"maxNewTokens": 1.5}})",
       "generation.max_new_tokens: must be as"},
      {R"({"positions": {"prompt": "NO_SUCH"}})", "positions.prompt: must be"},
      {R"({"positions": {"positions": [1, "x"]}})", "positions.positions"},
      {R"({"prompt": {"text": "a", "question": "b"}})", "prompt"}};
  for (const auto& [json, sentence] : cases) {
    v1::SwapRequest request;
    EXPECT_THAT(
        ParseMessage(Codec::kJson, json, &request),
        StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(sentence)))
        << json;
  }
}

TEST(ParseMessageTest, NamesThePlaceOfWhatIsNoJson) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "byte 1"},
      {"{\"alpha\": 1", "byte 12"},
      {R"({"alpha": 1, "alpha": 2})", "alpha"},
      {"{\"checkpoint\": \"\xff\"}", "UTF-8"}};
  for (const auto& [json, named] : cases) {
    v1::SwapRequest request;
    EXPECT_THAT(
        ParseMessage(Codec::kJson, json, &request),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 AllOf(HasSubstr("must be the JSON of alignsae.v1.SwapRequest"),
                       HasSubstr(named))))
        << json;
  }
  v1::SwapRequest request;
  EXPECT_THAT(ParseMessage(Codec::kJson, "[]", &request),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ParseMessageTest, DeepJsonIsRefusedAndNotRecursedInto) {
  v1::SwapRequest request;
  EXPECT_THAT(ParseMessage(Codec::kJson, std::string(100000, '['), &request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("deep")));
}

TEST(ParseMessageTest, RefusesBytesThatAreNoMessage) {
  v1::SwapRequest request;
  EXPECT_THAT(ParseMessage(Codec::kProto, "\xff", &request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "must be the bytes of alignsae.v1.SwapRequest, got 1 "
                       "other bytes"));
}

TEST(RenderMessageTest, BothCodecsGiveTheMessageBack) {
  v1::SwapRequest request;
  request.set_alpha(0.1);
  request.mutable_generation()->set_seed(~0ull);
  request.mutable_prompt()->set_text("é\n");
  for (const Codec codec : {Codec::kJson, Codec::kProto}) {
    v1::SwapRequest again;
    ASSERT_OK(ParseMessage(codec, RenderMessage(codec, request), &again));
    EXPECT_EQ(again.SerializeAsString(), request.SerializeAsString());
  }
}

TEST(EnvelopeTest, IsOpenedToWhatItHolds) {
  for (const std::string& message :
       {std::string(), std::string("abc"), std::string(70000, 'x')}) {
    const std::string bytes = Envelope(0, message);
    EXPECT_EQ(bytes.size(), message.size() + 5);
    ASSERT_OK_AND_ASSIGN(const absl::string_view opened, OpenEnvelope(bytes));
    EXPECT_EQ(opened, message);
  }
  EXPECT_EQ(Envelope(2, std::string(258, 'x')).substr(0, 5),
            std::string("\x02\x00\x00\x01\x02", 5));
}

TEST(EnvelopeTest, RefusesAllButOneWholeEnvelope) {
  for (const std::string& bytes :
       {std::string(), std::string("\0\0\0\0", 4),
        std::string("\0\0\0\0\x02x", 6), Envelope(0, "a") + "b",
        Envelope(1, "a"), Envelope(2, "{}")}) {
    EXPECT_THAT(OpenEnvelope(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TEST(ErrorTest, HasConnectsCodeAndStatus) {
  const std::tuple<absl::StatusCode, const char*, int> cases[] = {
      {absl::StatusCode::kInvalidArgument, "invalid_argument", 400},
      {absl::StatusCode::kFailedPrecondition, "failed_precondition", 400},
      {absl::StatusCode::kOutOfRange, "out_of_range", 400},
      {absl::StatusCode::kNotFound, "not_found", 404},
      {absl::StatusCode::kResourceExhausted, "resource_exhausted", 429},
      {absl::StatusCode::kCancelled, "canceled", 499},
      {absl::StatusCode::kInternal, "internal", 500},
      {absl::StatusCode::kUnavailable, "unavailable", 503},
      {absl::StatusCode::kDeadlineExceeded, "deadline_exceeded", 504}};
  for (const auto& [code, name, http] : cases) {
    EXPECT_EQ(ConnectCode(code), name);
    EXPECT_EQ(HttpStatusOf(code), http) << name;
  }
}

std::string Padded(std::string text) {
  EXPECT_THAT(text, ::testing::Not(HasSubstr("=")));
  while (text.size() % 4 != 0) text += '=';
  return text;
}

TEST(ErrorTest, CarriesTheDetails) {
  const WireStatus wire = ToWireStatus(
      WithRetryAfter(
          WithReason(absl::ResourceExhaustedError("full"), kReasonQueueFull),
          absl::Milliseconds(1200)),
      "mine");
  const nlohmann::json error = nlohmann::json::parse(ErrorJson(wire));
  EXPECT_EQ(error["code"], "resource_exhausted");
  EXPECT_EQ(error["message"], "full");
  ASSERT_EQ(error["details"].size(), 2u);
  EXPECT_EQ(error["details"][0]["type"], "google.rpc.ErrorInfo");
  EXPECT_EQ(error["details"][0]["debug"]["reason"], "QUEUE_FULL");
  EXPECT_EQ(error["details"][1]["type"], "google.rpc.RetryInfo");
  std::string bytes;
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(absl::Base64Unescape(
      Padded(error["details"][0]["value"].get<std::string>()), &bytes));
  ASSERT_TRUE(info.ParseFromString(bytes));
  EXPECT_EQ(info.reason(), "QUEUE_FULL");
  EXPECT_EQ(info.metadata().at("request_id"), "mine");
  google::rpc::RetryInfo retry;
  ASSERT_TRUE(absl::Base64Unescape(
      Padded(error["details"][1]["value"].get<std::string>()), &bytes));
  ASSERT_TRUE(retry.ParseFromString(bytes));
  EXPECT_EQ(retry.retry_delay().nanos(), 200000000);
  HttpReply reply;
  AddErrorHeaders(wire, &reply);
  ASSERT_EQ(reply.headers.size(), 1u);
  EXPECT_EQ(reply.headers[0].value, "2");
}

TEST(ErrorTest, SaysNothingOfATimeWhereThereIsNone) {
  HttpReply reply;
  AddErrorHeaders(ToWireStatus(absl::ResourceExhaustedError("never"), "x"),
                  &reply);
  AddErrorHeaders(WireStatus(), &reply);
  EXPECT_TRUE(reply.headers.empty());
}

TEST(EndOfStreamTest, IsAFlaggedEnvelopeWithTheErrorOrNothing) {
  EXPECT_EQ(EndOfStream(WireStatus()), Envelope(2, "{}"));
  const std::string end =
      EndOfStream(ToWireStatus(InvalidField("a", "be b", "c"), "x"));
  EXPECT_EQ(end[0], 2);
  EXPECT_EQ(nlohmann::json::parse(end.substr(5))["error"]["message"],
            "a: must be b, got c");
}

}  // namespace
}  // namespace alignsae
