// Positions that are a text: rows, labels, readings and calibration against
// what each token gives by itself.

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/gpt2/gpt2.h"
#include "model/train/lm/model.h"
#include "model/train/sae/checkpoint.h"
#include "model/train/sae/span_mean.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tiny_bundle.h"
#include "tests/train/lm/fixture.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

constexpr HookPoint kSpanHook = {HookKind::kResidPost, 0};

// People's whole names as concepts, each in three sentences.
class SpanTest : public ::testing::Test {
 protected:
  SpanTest()
      : corpus_(SmallCorpus()),
        tokenizer_(SmallTokenizer(corpus_)),
        first_(corpus_.people[0].name),
        second_(corpus_.people[1].name) {
    InitialModel made =
        *MakeInitialModel(SmallOptions(), tokenizer_, "", at::kCPU);
    for (auto& [name, tensor] : made.weights.Named()) {
      *tensor = tensor->detach();
    }
    made.weights.lm_head = made.weights.wte;
    model_ = std::make_shared<const Gpt2>(made.config, made.weights);
  }

  // `position` of each line, where it is not the name.
  PromptSet People(const std::string& position = "") const {
    std::string lines;
    for (const std::string& name : {first_, second_}) {
      for (const char* split : {"train", "validation", "test"}) {
        absl::StrAppend(
            &lines, R"({"prompt": ")", split, " of ", name,
            R"( is here", "concept": ")", name == first_ ? "a" : "b",
            R"(", "split": ")", split, R"(", "position": )",
            position.empty() ? absl::StrCat(R"({"text": ")", name, "\"}")
                             : position,
            "}\n");
      }
    }
    return ParsePrompts(lines, "p.jsonl", 1).value();
  }

  absl::StatusOr<SaeInputs> Collect(const PromptSet& set,
                                    const std::string& span,
                                    const ResidualRoom& room = {}) const {
    SaeOptions options;
    options.span = span;
    return CollectSaeInputs(*model_, tokenizer_, set, options, {kSpanHook},
                            room);
  }

  // The residuals of the name's tokens in a training prompt, one at a time.
  std::vector<at::Tensor> OneByOne(const PromptSet& set, size_t index) const {
    const auto located = TokenizePrompts(set, tokenizer_, 160, 512).value();
    std::vector<at::Tensor> rows;
    for (int position : located[index].Span()) {
      const PositionedPrompt alone = {.tokens = located[index].tokens,
                                      .position = position};
      rows.push_back(
          CollectResiduals(*model_, {alone}, {kSpanHook})->at(kSpanHook)[0]);
    }
    return rows;
  }

  const Corpus corpus_;
  const Tokenizer tokenizer_;
  const std::string first_, second_;
  std::shared_ptr<const Transformer> model_;
};

TEST_F(SpanTest, EveryTokenOfTheTextIsARowWithItsPromptsLabels) {
  const PromptSet set = People();
  ASSERT_OK_AND_ASSIGN(const SaeInputs inputs, Collect(set, "mean"));
  EXPECT_EQ(inputs.positions, TrainedPositions::kSpan);
  std::vector<at::Tensor> rows;
  std::vector<int64_t> prompts;
  for (size_t p : {0, 3}) {  // The two training prompts.
    for (const at::Tensor& row : OneByOne(set, p)) {
      rows.push_back(row);
      prompts.push_back(p / 3);
    }
  }
  ASSERT_GT(rows.size(), 2u);
  EXPECT_TRUE(at::allclose(inputs.train.by_hook.at(kSpanHook), at::stack(rows),
                           1e-5, 1e-5));
  const at::Tensor wanted = at::tensor(prompts, at::kLong);
  EXPECT_TRUE(at::equal(inputs.train.prompts, wanted));
  EXPECT_TRUE(at::equal(inputs.train.labels, wanted));
  EXPECT_TRUE(
      at::equal(inputs.train.has_concept.to(at::kLong).argmax(1), wanted));
}

TEST_F(SpanTest, WithoutItTheLastTokenIsTheRow) {
  const PromptSet set = People();
  ASSERT_OK_AND_ASSIGN(const SaeInputs inputs, Collect(set, "last"));
  EXPECT_EQ(inputs.positions, TrainedPositions::kLabelled);
  EXPECT_FALSE(inputs.train.prompts.defined());
  EXPECT_TRUE(at::allclose(
      inputs.train.by_hook.at(kSpanHook),
      at::stack({OneByOne(set, 0).back(), OneByOne(set, 3).back()}), 1e-5,
      1e-5));
}

TEST_F(SpanTest, ACalibrationIsOfTheMeansOverTheTokens) {
  const PromptSet set = People();
  ASSERT_OK_AND_ASSIGN(const SaeInputs inputs, Collect(set, "mean"));
  SaeConfig config;
  config.d_model = SmallOptions().width;
  config.n_features = 2;
  config.hook = kSpanHook;
  SaeWeights weights;
  weights.w_enc = UniformTensor({config.d_model, 2}, 1, 1);
  weights.b_enc = at::full({2}, 0.5);
  weights.w_dec = UniformTensor({2, config.d_model}, 1, 3);
  weights.b_dec = at::zeros({config.d_model});
  ASSERT_OK_AND_ASSIGN(config,
                       CalibratedConfig(inputs, config, weights, {0, 1}));
  // Slot r over the tokens of the one training prompt of concept r.
  for (int r = 0; r < 2; ++r) {
    double sum = 0;
    const std::vector<at::Tensor> rows = OneByOne(set, r == 0 ? 0 : 3);
    for (const at::Tensor& row : rows) {
      double pre = 0.5;
      for (int d = 0; d < config.d_model; ++d) {
        pre += row[d].item<double>() * weights.w_enc[d][r].item<double>();
      }
      sum += pre > 0 ? pre : 0;
    }
    EXPECT_NEAR(config.concepts[r].active_mean,
                sum / static_cast<double>(rows.size()), 1e-5);
  }
}

TEST_F(SpanTest, AMeanOfNothingButNumbersIsRefused) {
  EXPECT_THAT(Collect(People("-1"), "mean").status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("span: must be last where no prompt of "
                                 "p.jsonl has a text")));
}

// A file has the rows of memory with their labels, in another order; tokens of
// one prompt stay neighbours.
TEST_F(SpanTest, ResidualsWithoutRoomInMemoryLieInAFile) {
  const PromptSet set = People();
  ASSERT_OK_AND_ASSIGN(const SaeInputs memory, Collect(set, "mean"));
  EXPECT_EQ(memory.train.block_rows, 0);
  TemporaryDirectory directory("span_file");
  const int64_t row_bytes = SmallOptions().width * 4;
  ASSERT_OK_AND_ASSIGN(
      const SaeInputs file,
      Collect(set, "mean",
              {.most_bytes = row_bytes, .directory = directory.path()}));
  EXPECT_EQ(file.train.block_rows, 4);  // The least.
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  const auto sorted = [](const SaeInputs& inputs) {
    const at::Tensor& rows = inputs.train.by_hook.at(kSpanHook);
    const at::Tensor order = rows.select(1, 0).argsort();
    return std::pair(rows.index_select(0, order),
                     inputs.train.labels.index_select(0, order));
  };
  EXPECT_TRUE(
      at::allclose(sorted(memory).first, sorted(file).first, 1e-5, 1e-5));
  EXPECT_TRUE(at::equal(sorted(memory).second, sorted(file).second));
  const at::Tensor steps = file.train.prompts.diff();
  EXPECT_TRUE(at::equal(steps, steps.clamp(0, 1)));
  const SaeDataset data =
      DatasetAt(file.train, kSpanHook, file.relations, at::kCPU);
  EXPECT_EQ(data.block_rows, 4);
  EXPECT_EQ(data.residuals.data_ptr(),
            file.train.by_hook.at(kSpanHook).data_ptr());
}

TEST(MeanOfPromptsTest, IsTheMeanOfItsRows) {
  const at::Tensor values =
      at::tensor({1.0F, 3.0F, 10.0F, 2.0F, 4.0F, 9.0F}).view({3, 2});
  const at::Tensor prompts = at::tensor({0, 0, 1}, at::kLong);
  EXPECT_TRUE(at::equal(MeanOfPrompts(values, prompts),
                        at::tensor({5.5F, 2.5F, 4.0F, 9.0F}).view({2, 2})));
  EXPECT_TRUE(at::equal(MeanOfPrompts(values.select(1, 1), prompts),
                        at::tensor({2.5F, 9.0F})));
  EXPECT_TRUE(at::equal(MeanOfPrompts(values, at::Tensor()), values));
  EXPECT_TRUE(at::equal(AnyOfPrompts(values.gt(8), prompts), at::eye(2).gt(0)));
}

}  // namespace
}  // namespace alignsae
