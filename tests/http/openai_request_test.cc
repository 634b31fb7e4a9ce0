#include "server/http/openai_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;

absl::StatusOr<AskedCompletion> Parse(const std::string& more) {
  return ParseCompletion(
      absl::StrCat(R"({"model": "m", "prompt": "hi")", more, "}"), Limits());
}

TEST(ParseCompletionTest, HasOpenAisDefaults) {
  ASSERT_OK_AND_ASSIGN(const AskedCompletion asked, Parse(""));
  EXPECT_EQ(asked.model, "m");
  EXPECT_FALSE(asked.stream || asked.echo || asked.include_usage);
  EXPECT_FALSE(asked.logprobs.has_value());
  ASSERT_EQ(asked.choices.size(), 1u);
  const v1::CompleteRequest& request = asked.choices[0].request;
  EXPECT_EQ(request.prompt().text(), "hi");
  EXPECT_EQ(request.generation().max_new_tokens(), 16);
  EXPECT_EQ(request.generation().temperature(), 1);
  EXPECT_EQ(request.generation().top_p(), 1);
  EXPECT_FALSE(request.generation().has_seed());
  EXPECT_EQ(request.interventions_size(), 0);
}

TEST(ParseCompletionTest, NullIsAsIfAbsent) {
  ASSERT_OK(Parse(R"(, "max_tokens": null, "temperature": null, "n": null,
      "logprobs": null, "stop": null, "seed": null, "steering": null,
      "suffix": null, "logit_bias": null, "best_of": null, "stream": null,
      "presence_penalty": null, "stream_options": null, "user": null)"));
}

TEST(ParseCompletionTest, TakesEveryField) {
  ASSERT_OK_AND_ASSIGN(
      const AskedCompletion asked,
      Parse(R"(, "max_tokens": 5, "temperature": 0.5, "top_p": 0.9,
          "stream": true, "stream_options": {"include_usage": true},
          "logprobs": 3, "stop": ["a", "b"], "seed": 7, "user": "me",
          "presence_penalty": 0.5, "frequency_penalty": -1, "min_tokens": 2,
          "logit_bias": {"50256": -100, "7": 0.5},
          "best_of": 1, "suffix": "",
          "steering": [{"mode": "INTERVENTION_MODE_SWAP",
                        "target": {"name": "job"}, "alpha": 2}])"));
  EXPECT_TRUE(asked.stream && asked.include_usage);
  EXPECT_EQ(asked.logprobs, 3);
  const v1::CompleteRequest& request = asked.choices[0].request;
  EXPECT_EQ(request.generation().max_new_tokens(), 5);
  EXPECT_EQ(request.generation().temperature(), 0.5);
  EXPECT_EQ(request.generation().top_p(), 0.9);
  EXPECT_EQ(request.generation().top_logprobs(), 3);
  EXPECT_EQ(request.generation().seed(), 7u);
  EXPECT_EQ(request.generation().presence_penalty(), 0.5);
  EXPECT_EQ(request.generation().frequency_penalty(), -1);
  EXPECT_EQ(request.generation().min_new_tokens(), 2);
  EXPECT_EQ(request.generation().logit_bias().at(50256), -100);
  EXPECT_EQ(request.generation().logit_bias().at(7), 0.5);
  EXPECT_FALSE(request.generation().has_prompt_logprobs());
  EXPECT_THAT(request.generation().stop_sequences(), ElementsAre("a", "b"));
  ASSERT_EQ(request.interventions_size(), 1);
  EXPECT_EQ(request.interventions(0).target().name(), "job");
  const v1::GenerateRequest generate = ToGenerate(request);
  v1::CompleteRequest same;  // The two have the same fields.
  ASSERT_TRUE(same.ParseFromString(generate.SerializeAsString()));
  EXPECT_TRUE(
      google::protobuf::util::MessageDifferencer::Equals(same, request));
}

TEST(ParseCompletionTest, PromptsAreTextsOrTokenIds) {
  const auto prompts = [](const std::string& prompt) {
    const auto asked = ParseCompletion(
        absl::StrCat(R"({"model": "m", "prompt": )", prompt, "}"), Limits());
    EXPECT_OK(asked.status()) << prompt;
    std::vector<std::string> found;
    for (const AskedChoice& choice : asked->choices) {
      found.push_back(choice.request.prompt().ShortDebugString());
    }
    return found;
  };
  EXPECT_THAT(prompts(R"(["a", "b"])"),
              ElementsAre("text: \"a\"", "text: \"b\""));
  EXPECT_THAT(prompts("[1, 2]"), ElementsAre("token_ids { ids: 1 ids: 2 }"));
  EXPECT_THAT(prompts("[[1], [2]]"),
              ElementsAre("token_ids { ids: 1 }", "token_ids { ids: 2 }"));
}

TEST(ParseCompletionTest, EachOfNHasItsOwnSeed) {
  ASSERT_OK_AND_ASSIGN(
      const AskedCompletion asked,
      ParseCompletion(
          R"({"model": "m", "prompt": ["a", "b"], "n": 2, "seed": 5})",
          Limits()));
  std::vector<std::string> found;
  for (const AskedChoice& choice : asked.choices) {
    found.push_back(absl::StrCat(choice.prompt, choice.request.prompt().text(),
                                 choice.request.generation().seed()));
  }
  EXPECT_THAT(found, ElementsAre("0a5", "0a6", "1b5", "1b6"));
  EXPECT_EQ(asked.prompts, 2);
}

TEST(ParseCompletionTest, AnEchoWithLogprobsAsksForThoseOfThePrompt) {
  ASSERT_OK_AND_ASSIGN(const AskedCompletion asked,
                       Parse(R"(, "echo": true, "logprobs": 2)"));
  EXPECT_EQ(asked.choices[0].request.generation().prompt_logprobs(), 2);
  EXPECT_FALSE(asked.prompt_only);
  ASSERT_OK_AND_ASSIGN(
      const AskedCompletion only,
      Parse(R"(, "echo": true, "logprobs": 0, "max_tokens": 0)"));
  EXPECT_TRUE(only.prompt_only);
  EXPECT_EQ(only.choices[0].request.generation().max_new_tokens(), 1);
  ASSERT_OK_AND_ASSIGN(const AskedCompletion text, Parse(R"(, "echo": true)"));
  EXPECT_FALSE(text.choices[0].request.generation().has_prompt_logprobs());
  // The text of ids comes with their logprobs.
  ASSERT_OK_AND_ASSIGN(
      const AskedCompletion ids,
      ParseCompletion(R"({"model": "m", "prompt": [1, 2], "echo": true})",
                      Limits()));
  EXPECT_TRUE(ids.choices[0].request.generation().has_prompt_logprobs());
}

TEST(ParseCompletionTest, RefusesByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(, "presence_penalty": "x")", "presence_penalty: must be a number"},
      {R"(, "frequency_penalty": [])", "frequency_penalty: must be a number"},
      {R"(, "logit_bias": [1])", "logit_bias: must be an object of token ids"},
      {R"(, "logit_bias": {"a": 2})",
       "logit_bias: must name tokens by their ids, got \"a\""},
      {R"(, "logit_bias": {"1": "x"})", "logit_bias[1]: must be a number"},
      {R"(, "min_tokens": -1)", "min_tokens: must be an integer in"},
      {R"(, "suffix": "x")", "suffix: must be absent"},
      {R"(, "best_of": 2)", "best_of: must be n"},
      {R"(, "echo": 1)", "echo: must be true or false, got 1"},
      {R"(, "n": 0)", "n: must be an integer in [1, 64], got 0"},
      {R"(, "n": 65)", "n: must be an integer in [1, 64], got 65"},
      {R"(, "max_tokens": 0)", "max_tokens: must be an integer in"},
      {R"(, "max_tokens": 1.5)", "max_tokens: must be an integer in"},
      {R"(, "max_tokens": 99999999999)", "max_tokens: must be an integer in"},
      {R"(, "temperature": "hot")", "temperature: must be a number"},
      {R"(, "seed": 0.5)", "seed: must be an integer"},
      {R"(, "stop": [1])", "stop: must be a text or texts"},
      {R"(, "logprobs": true)", "logprobs: must be an integer in"},
      {R"(, "stream_options": 1)", "stream_options: must be an object"},
      {R"(, "stream_options": {"include_usage": 1})",
       "stream_options.include_usage: must be true or false"},
      {R"(, "steering": {})", "steering: must be a list of interventions"},
      {R"(, "steering": [{"mod": 1}])",
       "steering[0].mod: must be a field that alignsae.v1.Intervention has"},
      {R"(, "max_completion_tokens": 5)",
       "request: must hold fields of /v1/completions only, got "
       "\"max_completion_tokens\""}};
  for (const auto& [more, sentence] : cases) {
    EXPECT_THAT(
        Parse(more).status(),
        StatusIs(absl::StatusCode::kInvalidArgument, StartsWith(sentence)))
        << more;
  }
}

TEST(ParseCompletionTest, RefusesWhatIsNoPromptOrNoBody) {
  for (const char* prompt : {"1", "[]", "{}", "[[]]", "[1, \"a\"]", "[null]",
                             "[1.5]", "[99999999999]", "[[1, true]]"}) {
    EXPECT_THAT(
        ParseCompletion(
            absl::StrCat(R"({"model": "m", "prompt": )", prompt, "}"), Limits())
            .status(),
        StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("prompt")))
        << prompt;
  }
  for (const char* body :
       {"", "[]", "{", "null", "\"x\"", R"({"prompt": "a"})",
        R"({"model": "m"})", R"({"model": 1, "prompt": "a"})"}) {
    EXPECT_THAT(ParseCompletion(body, Limits()).status(),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << body;
  }
  const std::string long_prompt(65537, 'x');
  EXPECT_THAT(
      ParseCompletion(
          absl::StrCat(R"({"model": "m", "prompt": ")", long_prompt, "\"}"),
          Limits())
          .status(),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("prompt")));
}

TEST(CompletionFieldTest, GivesTheBodysNames) {
  EXPECT_EQ(CompletionField("generation.max_new_tokens"), "max_tokens");
  EXPECT_EQ(CompletionField("generation.stop_sequences[2]"), "stop[2]");
  EXPECT_EQ(CompletionField("generation.logit_bias[5]"), "logit_bias[5]");
  EXPECT_EQ(CompletionField("generation.min_new_tokens"), "min_tokens");
  EXPECT_EQ(CompletionField("generation.prompt_logprobs"), "logprobs");
  EXPECT_EQ(CompletionField("interventions[1].target.name"),
            "steering[1].target.name");
  EXPECT_EQ(CompletionField("prompt.token_ids.ids[3]"), "prompt[3]");
  EXPECT_EQ(CompletionField("prompt"), "prompt");
  EXPECT_EQ(CompletionField("interventionsx"), "interventionsx");
}

}  // namespace
}  // namespace alignsae
