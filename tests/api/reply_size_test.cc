// Each bound is reached by the largest answer that can be made, and by no byte
// less.

#include "server/api/reply_size.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "alignsae/v1/concept_service.pb.h"
#include "alignsae/v1/steering_service.pb.h"
#include "model/base/random_id.h"
#include "model/base/status_payload.h"
#include "server/api/parse_generation.h"
#include "server/api/parse_readout.h"
#include "server/api/parse_sweep.h"
#include "server/api/render_answer.h"
#include "server/registry/token_text.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

// The longest token is four bytes that are never part of a character, so that
// each becomes a U+FFFD.
constexpr int kLongest = 260;

std::shared_ptr<const Tokenizer> OddTokenizer() {
  const std::string one = SymbolsFromBytes("\x80");
  nlohmann::json vocab = SmallVocab();
  vocab[one + one] = 261;
  vocab[one + one + one + one] = kLongest;
  const std::string merges = absl::StrCat(kSmallMerges, one, " ", one, "\n",
                                          one, one, " ", one, one, "\n");
  return std::make_shared<const Tokenizer>(
      Tokenizer::FromFiles(vocab.dump(), merges, "").value());
}

class ReplySizeTest : public ParseTest {
 protected:
  ReplySizeTest() {
    tokenizer_ = OddTokenizer();
    auto catalog = std::make_shared<Catalog>(*catalog_);
    catalog->model.vocab_size = 262;
    for (CheckpointInfo& checkpoint : catalog->checkpoints) {
      checkpoint.concepts[1].name = "occupation";  // The longest has an index.
    }
    catalog_ = catalog;
  }

  ConceptReading Reading(int checkpoint, int position) const {
    ConceptReading reading;
    reading.checkpoint = checkpoint;
    reading.position = position;
    reading.values = {1, 2};
    reading.probabilities = {0.25, 0.75};
    reading.top = 1;
    reading.margin = 0.5;
    reading.bound = true;
    return reading;
  }

  // Everything at its longest, for the sequence of a request.
  SequenceAnswer LongestAnswer(const SequenceSpec& sequence) const {
    SequenceAnswer answer;
    const int length = static_cast<int>(sequence.prompt.size());
    SequenceFinished& finished = answer.finished;
    finished.reason = FinishReason::kStop;
    for (int i = 0; i < length && sequence.prompt_logprobs.has_value(); ++i) {
      SampledToken& token = answer.prompt.emplace_back();
      token.token = kLongest;
      token.logprob = -1;
      token.top.assign(*sequence.prompt_logprobs, {kLongest, -2});
    }
    for (int i = 0; i < sequence.max_new_tokens; ++i) {
      TokenEvent event;
      event.position = length + i;
      event.token.token = kLongest;
      event.token.logprob = -1;
      event.token.top.assign(sequence.sampling.n_logprobs, {kLongest, -2});
      event.text = std::string(tokenizer_->TokenBytes(kLongest));
      answer.tokens.push_back(std::move(event));
      if (!sequence.trace) continue;
      answer.trace.push_back(Reading(0, length + i));
    }
    finished.stop_index = 1;
    finished.generated_tokens = sequence.max_new_tokens;
    finished.total_logprob = -9;
    finished.prompt_reading = Reading(0, length - 1);
    for (const Intervention& intervention : *sequence.interventions) {
      InterventionReceipt& receipt = finished.receipts.emplace_back();
      receipt.positions_applied =
          static_cast<int64_t>(intervention.positions.prompt.size()) +
          sequence.max_new_tokens;
      for (int i = 0; i < receipt.positions_applied; ++i) {
        receipt.effects.push_back({length - 1 + i, 1, 1, 1, 1, 1, 1, 1});
      }
    }
    return answer;
  }

  v1::ArmResult LongestArm(const AskedGeneration& asked, size_t index,
                           const SequenceSpec& sequence) const {
    return RenderWholeArm(asked, index, LongestAnswer(sequence), *catalog_,
                          *tokenizer_);
  }
};

constexpr char kSwapRequest[] =
    "prompt { text: 'abcd' } target { slot: 1 } positions { generated: "
    "true } generation { seed: 18446744073709551615 max_new_tokens: 8 "
    "top_logprobs: 2 stop_sequences: 'y' stop_sequences: 'zz' concept_trace: "
    "true prompt_logprobs: 3 }";

TEST_F(ReplySizeTest, OfASwapIsThatOfTheLargestAnswer) {
  ASSERT_OK_AND_ASSIGN(
      ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(kSwapRequest), env(), 1));
  parsed.asked.receipt_id = RandomId();
  const RequestSpec& spec = parsed.spec;
  v1::SwapResponse response;
  RenderHead(*catalog_, std::string(kMaxRequestIdBytes, 'r'), parsed.asked,
             spec.sequences[0].prompt, &response);
  response.set_prompt_token_count(4);
  *response.mutable_baseline() = LongestArm(parsed.asked, 0, spec.sequences[0]);
  *response.mutable_steered() = LongestArm(parsed.asked, 1, spec.sequences[1]);
  // Bytes that are no text are told as U+FFFD, three bytes each.
  EXPECT_EQ(response.baseline().text().size(), 3u * 4 * 8);
  EXPECT_EQ(GenerationBytes(spec, parsed.asked.checkpoint, env()),
            static_cast<int64_t>(response.ByteSizeLong()));
}

TEST_F(ReplySizeTest, ARequestIsRefusedOneByteBelowItsLargestAnswer) {
  const auto request = FromText<v1::SwapRequest>(kSwapRequest);
  ASSERT_OK_AND_ASSIGN(const ParsedGeneration parsed,
                       ParseSwap(request, env(), 1));
  const int bytes = static_cast<int>(
      GenerationBytes(parsed.spec, parsed.asked.checkpoint, env()));
  limits_.max_send_message_bytes = bytes;
  EXPECT_OK(ParseSwap(request, env(), 1));
  limits_.max_send_message_bytes = bytes - 1;
  const absl::Status refused = ParseSwap(request, env(), 1).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(refused), kReasonReplyTooLarge);
}

TEST_F(ReplySizeTest, NamesWhatMakesTheAnswerLarge) {
  limits_.max_send_message_bytes = 100;
  EXPECT_EQ(
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { slot: 1 } "
                    "generation { max_new_tokens: 8 prompt_logprobs: 9 }"),
                env(), 1)
          .status()
          .message()
          .substr(0, 28),
      "generation.prompt_logprobs: ");
  EXPECT_EQ(
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'abcd' } target { slot: 1 } "
                    "generation { max_new_tokens: 8 prompt_logprobs: 0 }"),
                env(), 1)
          .status()
          .message()
          .substr(0, 27),
      "generation.max_new_tokens: ");
}

TEST_F(ReplySizeTest, OfAReadoutIsThatOfTheLargestAnswer) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseReadConcepts(
          FromText<v1::ReadConceptsRequest>(
              "prompts { text: 'abcd' } prompts { token_ids { ids: 261 ids: 1 "
              "} }"),
          env()));
  v1::ReadConceptsResponse response;
  RenderReadoutHead(*catalog_, std::string(kMaxRequestIdBytes, 'r'), 0,
                    &response);
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    v1::PromptReading* row = response.add_readings();
    row->mutable_prompt_token_ids()->Assign(sequence.prompt.begin(),
                                            sequence.prompt.end());
    *row->mutable_reading() = RenderReading(
        Reading(0, static_cast<int>(sequence.prompt.size()) - 1), *catalog_);
  }
  response.set_prompt_token_count(6);
  EXPECT_EQ(ReadBytes(parsed.spec, 0, env()),
            static_cast<int64_t>(response.ByteSizeLong()));
}

TEST_F(ReplySizeTest, OfAMeanSaysHowManyPositions) {
  const auto bytes = [&](const std::string& span) {
    return ReadBytes(
        ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                              "prompts { text: 'abcd' } position_text: 'bc' "
                              "span_reading: SPAN_READING_" +
                              span),
                          env())
            ->spec,
        0, env());
  };
  EXPECT_EQ(bytes("MEAN"), bytes("LAST") + 2);
}

TEST_F(ReplySizeTest, OfAnInspectionIsThatOfTheLargestAnswer) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout parsed,
      ParseInspectSlots(
          FromText<v1::InspectSlotsRequest>(
              "prompt { token_ids { ids: 260 ids: 259 ids: 5 } } checkpoint: "
              "'whole' top_k: 12 positions { prompt: PROMPT_SELECTION_LIST "
              "positions: 1 positions: 2 }"),
          env()));
  const SequenceSpec& sequence = parsed.spec.sequences[0];
  v1::InspectSlotsResponse response;
  RenderReadoutHead(*catalog_, std::string(kMaxRequestIdBytes, 'r'), 1,
                    &response);
  response.mutable_prompt_token_ids()->Assign(sequence.prompt.begin(),
                                              sequence.prompt.end());
  response.set_top_k(12);
  for (int position : {1, 2}) {
    ConceptReading reading = Reading(1, position);
    for (int i = 0; i < 12; ++i) reading.top_features.push_back({11, 1});
    reading.l0 = 12;
    reading.reconstruction_error = reading.residual_norm = 1;
    v1::TokenSlots* row = response.add_tokens();
    row->set_token_id(sequence.prompt[position]);
    row->set_piece(
        std::string(PieceBytes(*tokenizer_, sequence.prompt[position])));
    *row->mutable_reading() = RenderReading(reading, *catalog_);
    RenderFeatures(reading, row->mutable_features());
  }
  EXPECT_EQ(InspectionBytes(sequence, 1, 12, env()),
            static_cast<int64_t>(response.ByteSizeLong()));
}

TEST_F(ReplySizeTest, OfASweepsCellCoversTheLargestCell) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedSweep parsed,
      ParseSweepAlpha(
          FromText<v1::SweepAlphaRequest>(
              "prompt { text: 'abcd' } targets { slot: 0 } targets { slot: 1 } "
              "alphas: [1, 2] positions { generated: true } generation { "
              "max_new_tokens: 8 stop_sequences: "
              "'y' stop_sequences: 'zz' }"),
          env(), 1));
  const SequenceSpec& sequence = parsed.spec.sequences.back();
  v1::SweepAlphaResponse response;
  v1::SweepCell* cell = response.mutable_cell();
  cell->set_index(4);
  cell->set_target_index(1);
  cell->set_alpha_index(1);
  cell->set_alpha(2);
  cell->set_target("occupation");
  *cell->mutable_result() =
      LongestArm(parsed.asked, parsed.asked.arms.size() - 1, sequence);
  EXPECT_GE(SweepCellBytes(sequence, env()),
            static_cast<int64_t>(response.ByteSizeLong()));
}

}  // namespace
}  // namespace alignsae
