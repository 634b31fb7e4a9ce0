// Every limit of a request is taken when it is reached exactly. What lies one
// beyond is in the tables of what is refused, beside each request.

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "server/api/parse_generation.h"
#include "server/api/parse_model.h"
#include "server/api/parse_readout.h"
#include "server/api/parse_sweep.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

// A request that is at a limit, and the limit in its name.
struct Edge {
  std::string name;
  std::string request;
};
std::string NameOfEdge(const ::testing::TestParamInfo<Edge>& info) {
  return info.param.name;
}

std::string Times(int count, const std::string& field) {
  std::string fields;
  for (int i = 0; i < count; ++i) absl::StrAppend(&fields, field, " ");
  return fields;
}
std::string Config(const std::string& fields) {
  return "prompt { text: 'abcd' } generation { " + fields + " }";
}
std::string Add(const std::string& fields) {
  return "prompt { text: 'abcd' } interventions { mode: INTERVENTION_MODE_ADD "
         "target { slot: 0 } " +
         fields + " }";
}
std::string Targets(const std::string& fields) {
  return "prompt { text: 'abcd' } targets { slot: 0 } targets { slot: 11 } " +
         fields;
}

class LimitTest : public ParseTest, public ::testing::WithParamInterface<Edge> {
 protected:
  LimitTest() {
    limits_.max_new_tokens = 100;
    limits_.max_interventions = 3;
    limits_.max_prompt_bytes = 100;
    limits_.max_prompts_per_batch = 4;
    limits_.max_sweep_cells = 6;
    limits_.max_stop_sequences = 5;
    limits_.max_stop_sequence_bytes = 7;
    limits_.max_top_logprobs = 9;
    limits_.max_top_features = 8;
  }
};

class GenerationLimitTest : public LimitTest {};
TEST_P(GenerationLimitTest, IsTakenByBothTwins) {
  EXPECT_OK(ParseComplete(FromText<v1::CompleteRequest>(GetParam().request),
                          env(), 1));
  EXPECT_OK(ParseGenerate(FromText<v1::GenerateRequest>(GetParam().request),
                          env(), 1));
}
INSTANTIATE_TEST_SUITE_P(
    , GenerationLimitTest,
    ::testing::Values(
        Edge{"OneNewToken", Config("max_new_tokens: 1")},
        Edge{"TheContextIsFull", Config("max_new_tokens: 60")},
        Edge{"RoomForOneToken", "prompt { text: '" + std::string(63, 'x') +
                                    "' } generation { max_new_tokens: 1 }"},
        Edge{"Greedy", Config("temperature: 0")},
        Edge{"Hottest", Config("temperature: 100")},
        Edge{"NoTopK", Config("top_k: 0")},
        Edge{"TopKIsTheVocabulary", Config("top_k: 260")},
        Edge{"TopPIsOne", Config("top_p: 1")},
        Edge{"LeastTopP", Config("top_p: 1e-45")},
        Edge{"LargestPenalty", Config("repetition_penalty: 10")},
        Edge{"LeastPenalty", Config("repetition_penalty: 1e-45")},
        Edge{"Penalties", Config("frequency_penalty: 2 presence_penalty: -2")},
        Edge{"OtherPenalties",
             Config("frequency_penalty: -2 presence_penalty: 2")},
        Edge{"Biases", Config("logit_bias { key: 0 value: -100 } logit_bias { "
                              "key: 259 value: 100 }")},
        Edge{"MostMinNewTokens", Config("max_new_tokens: 5 min_new_tokens: 5")},
        Edge{"MostPromptLogprobs", Config("prompt_logprobs: 9")},
        Edge{"NoLogprobs", Config("top_logprobs: 0")},
        Edge{"MostLogprobs", Config("top_logprobs: 9")},
        Edge{"StopOfOneByte", Config("stop_sequences: 'x'")},
        Edge{"LongestStop", Config("stop_sequences: '1234567'")},
        Edge{"MostStops", Config(Times(5, "stop_sequences: 'x'"))},
        Edge{"FirstAndLastId", "prompt { token_ids { ids: 0 ids: 259 } }"},
        Edge{"FirstAndLastSlot",
             "prompt { text: 'a' } interventions { mode: "
             "INTERVENTION_MODE_SWAP target { slot: 0 } source { slot: 11 } "
             "}"},
        Edge{"FirstAndLastPosition",
             Add("positions { prompt: PROMPT_SELECTION_LIST positions: -4 "
                 "positions: 3 }")},
        Edge{"MostPositions", Add("positions { prompt: PROMPT_SELECTION_LIST " +
                                  Times(8, "positions: 2") + "}")},
        Edge{"WholeWindow",
             Add("positions { prompt: PROMPT_SELECTION_WINDOW window { start: "
                 "-4 stop: 4 } }")},
        Edge{"MostInterventions",
             "prompt { text: 'a' } " +
                 Times(3,
                       "interventions { mode: INTERVENTION_MODE_ADD target { "
                       "slot: 0 } }")}),
    &NameOfEdge);

TEST_F(GenerationLimitTest, MostNewTokensWhereTheContextHasMore) {
  limits_.max_new_tokens = 20;
  const auto request =
      FromText<v1::CompleteRequest>(Config("max_new_tokens: 20"));
  EXPECT_OK(ParseComplete(request, env(), 1));
}

class SweepLimitTest : public LimitTest {};
TEST_P(SweepLimitTest, IsTaken) {
  EXPECT_OK(ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(GetParam().request),
                            env(), 1));
}
INSTANTIATE_TEST_SUITE_P(
    , SweepLimitTest,
    ::testing::Values(
        Edge{"MostCells", Targets("alphas: [1, 2, 3]")},
        Edge{"MostPositions", Targets("alphas: 1 positions { prompt: "
                                      "PROMPT_SELECTION_LIST " +
                                      Times(8, "positions: 2") + "}")},
        Edge{"RoomForOneToken", "prompt { text: '" + std::string(63, 'x') +
                                    "' } targets { slot: 1 } alphas: 1"}),
    &NameOfEdge);

class ReadLimitTest : public LimitTest {};
TEST_P(ReadLimitTest, IsTaken) {
  EXPECT_OK(ParseReadConcepts(
      FromText<v1::ReadConceptsRequest>(GetParam().request), env()));
}
INSTANTIATE_TEST_SUITE_P(
    , ReadLimitTest,
    ::testing::Values(
        Edge{"OnePrompt", "prompts { text: 'a' }"},
        Edge{"MostPrompts", Times(4, "prompts { text: 'a' }")},
        Edge{"TheContextIsFull",
             "prompts { text: '" + std::string(64, 'x') + "' }"},
        // "the" is one token.
        Edge{"MostBytes", "prompts { text: '" + Times(25, "the") + "' }"},
        Edge{"FirstPosition", "prompts { text: 'abc' } position: -3"},
        Edge{"LastPosition", "prompts { text: 'abc' } position: 2"},
        Edge{"LastPositionFromTheEnd", "prompts { text: 'abc' } position: -1"},
        Edge{"FirstAndLastId", "prompts { token_ids { ids: 0 ids: 259 } }"}),
    &NameOfEdge);

class InspectLimitTest : public LimitTest {};
TEST_P(InspectLimitTest, IsTaken) {
  EXPECT_OK(ParseInspectSlots(
      FromText<v1::InspectSlotsRequest>(GetParam().request), env()));
}
INSTANTIATE_TEST_SUITE_P(
    , InspectLimitTest,
    ::testing::Values(
        Edge{"NoFeaturesOfSlotsOnly", "prompt { text: 'a' } top_k: 0"},
        Edge{"MostFeatures",
             "prompt { text: 'a' } checkpoint: 'whole' top_k: 8"},
        Edge{"MostPositions",
             "prompt { text: 'ab' } positions { prompt: PROMPT_SELECTION_LIST "
             "positions: [0, 1, -1, -2] }"}),
    &NameOfEdge);

TEST_F(LimitTest, OfTheFeaturesThatThereAre) {
  limits_.max_top_features = 100;
  EXPECT_OK(ParseInspectSlots(
      FromText<v1::InspectSlotsRequest>(
          "prompt { text: 'a' } checkpoint: 'whole' top_k: 12"),
      env()));
}

TEST_F(LimitTest, OfTokenizeAndDetokenize) {
  EXPECT_OK(ParseTokenize(
      FromText<v1::TokenizeRequest>("text: '" + std::string(100, 'x') + "'"),
      env()));
  EXPECT_OK(
      ParseTokenize(FromText<v1::TokenizeRequest>("question: 'x'"), env()));
  v1::DetokenizeRequest request;
  for (int i = 0; i < 65536; ++i) request.add_token_ids(i % 260);
  EXPECT_OK(ParseDetokenize(request, env()));
  request.add_token_ids(0);
  EXPECT_THAT(ParseDetokenize(request, env()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "token_ids: must hold 1 to 65536 ids, got 65537"));
}

}  // namespace
}  // namespace alignsae
