#include "model/train/lm/data.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/train/common/random_order.h"

namespace alignsae {
namespace {

absl::Status CheckLength(const LmExample& example, int context,
                         absl::string_view text) {
  // The last token is only predicted, never read.
  const size_t length = example.tokens.size() - 1;
  if (length <= static_cast<size_t>(context)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("context: must be at least ", length, ", the length of ",
                   Quoted(text), ", got ", context));
}

// Batches of `batch` examples of about the same length. A random amount below 2
// on the length keeps the batches of one length from being always the same.
void AppendBuckets(std::vector<const LmExample*> examples, int batch,
                   bool questions, CounterRng& rng,
                   std::vector<LmBatchPlan>& out) {
  Shuffle(rng, examples);
  std::vector<std::pair<double, const LmExample*>> keyed;
  keyed.reserve(examples.size());
  for (const LmExample* example : examples) {
    keyed.emplace_back(
        static_cast<double>(example->tokens.size()) + 2 * rng.NextUniform(),
        example);
  }
  std::stable_sort(
      keyed.begin(), keyed.end(),
      [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t begin = 0; begin < keyed.size(); begin += batch) {
    LmBatchPlan plan{.questions = questions, .examples = {}};
    const size_t end = std::min(keyed.size(), begin + batch);
    for (size_t i = begin; i < end; ++i) {
      plan.examples.push_back(keyed[i].second);
    }
    out.push_back(std::move(plan));
  }
}

// How many wordings of one fact an epoch has.
int Draws(const std::vector<LmExample>& wordings, const LmOptions& options) {
  return std::min(static_cast<int>(wordings.size()),
                  options.wordings_per_epoch);
}

int64_t CeilDivide(int64_t n, int64_t by) { return (n + by - 1) / by; }

}  // namespace

std::vector<std::string> TokenizerTexts(const LmTexts& texts) {
  std::vector<std::string> all = texts.texts;
  for (const std::vector<LmQuestion>& fact : texts.facts) {
    for (const LmQuestion& question : fact) {
      all.push_back(question.prompt + question.answer);
    }
  }
  return all;
}

absl::StatusOr<LmExamples> LmExamples::Create(const LmTexts& texts,
                                              const Tokenizer& tokenizer,
                                              int context) {
  const int32_t eos = tokenizer.eos_token_id();
  if (eos < 0) {
    return absl::InvalidArgumentError(
        "tokenizer: must have <|endoftext|>, got none");
  }
  LmExamples examples;
  for (const std::string& text : texts.texts) {
    LmExample example{.tokens = tokenizer.Encode(text), .first_label = 1};
    example.tokens.push_back(eos);
    ALIGNSAE_RETURN_IF_ERROR(CheckLength(example, context, text));
    examples.biographies_.push_back(std::move(example));
  }
  for (const std::vector<LmQuestion>& fact : texts.facts) {
    examples.questions_.emplace_back();
    for (const LmQuestion& question : fact) {
      // Encoded apart, as a server does that sees the prompt alone.
      LmExample example{.tokens = tokenizer.Encode(question.prompt)};
      example.first_label = static_cast<int>(example.tokens.size());
      const std::vector<int32_t> answer = tokenizer.Encode(question.answer);
      example.tokens.insert(example.tokens.end(), answer.begin(), answer.end());
      example.tokens.push_back(eos);
      ALIGNSAE_RETURN_IF_ERROR(CheckLength(example, context, question.prompt));
      examples.questions_.back().push_back(std::move(example));
    }
  }
  return examples;
}

std::vector<LmBatchPlan> LmExamples::EpochBatches(const LmOptions& options,
                                                  int64_t epoch) const {
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kLmEpoch, epoch);
  std::vector<LmBatchPlan> plans;
  std::vector<const LmExample*> biographies;
  for (const LmExample& example : biographies_) biographies.push_back(&example);
  AppendBuckets(std::move(biographies), options.biography_batch,
                /*questions=*/false, rng, plans);
  std::vector<const LmExample*> questions;
  for (const std::vector<LmExample>& wordings : questions_) {
    const std::vector<int> order =
        Permutation(rng, static_cast<int>(wordings.size()));
    for (int k = 0; k < Draws(wordings, options); ++k) {
      questions.push_back(&wordings[order[k]]);
    }
  }
  AppendBuckets(std::move(questions), options.question_batch,
                /*questions=*/true, rng, plans);
  Shuffle(rng, plans);
  return plans;
}

int64_t LmExamples::StepsPerEpoch(const LmOptions& options) const {
  int64_t questions = 0;
  for (const std::vector<LmExample>& wordings : questions_) {
    questions += Draws(wordings, options);
  }
  return CeilDivide(static_cast<int64_t>(biographies_.size()),
                    options.biography_batch) +
         CeilDivide(questions, options.question_batch);
}

LmBatch Collate(absl::Span<const LmExample* const> examples,
                at::Device device) {
  int64_t length = 0;  // T: the last token of an example is not read.
  for (const LmExample* example : examples) {
    length = std::max<int64_t>(
        length, static_cast<int64_t>(example->tokens.size()) - 1);
  }
  std::vector<int64_t> ids(examples.size() * length, 0);  // [B, T]
  std::vector<int64_t> rows;
  std::vector<int64_t> labels;
  for (size_t b = 0; b < examples.size(); ++b) {
    const std::vector<int32_t>& tokens = examples[b]->tokens;
    const int64_t row = static_cast<int64_t>(b) * length;
    std::copy(tokens.begin(), tokens.end() - 1, ids.begin() + row);
    for (size_t t = examples[b]->first_label; t < tokens.size(); ++t) {
      rows.push_back(row + static_cast<int64_t>(t) - 1);
      labels.push_back(tokens[t]);
    }
  }
  const int64_t batch = static_cast<int64_t>(examples.size());
  return {at::tensor(ids, at::kLong).view({batch, length}).to(device),
          at::tensor(rows, at::kLong).to(device),
          at::tensor(labels, at::kLong).to(device)};
}

}  // namespace alignsae
