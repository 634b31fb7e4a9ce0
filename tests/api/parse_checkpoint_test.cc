// A request's checkpoint is where its concepts are looked up, what its
// interventions edit with, and what is read.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/api/parse_generation.h"
#include "server/api/parse_readout.h"
#include "server/api/parse_sweep.h"
#include "tests/api/parse_fixture.h"

namespace alignsae {
namespace {

// The second checkpoint has slots, names and a recommendation of its own.
class CheckpointTest : public ParseTest {
 protected:
  CheckpointTest() {
    auto catalog = std::make_shared<Catalog>(*catalog_);
    CheckpointInfo& whole = catalog->checkpoints[kWhole];
    whole.concepts[0].name = "river";
    whole.concepts[1].name = "city";
    whole.recommended_alpha = 3;
    catalog_ = catalog;
  }
  // Of the steered arm, which is the last.
  static const Intervention& EditOf(const RequestSpec& spec) {
    return spec.sequences.back().interventions->front();
  }

  static constexpr int kWhole = 1;
};

TEST_F(CheckpointTest, OfASwap) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedGeneration parsed,
      ParseSwap(FromText<v1::SwapRequest>(
                    "prompt { text: 'a' } checkpoint: 'whole' target { name: "
                    "'city' } source { name: 'river' }"),
                env(), 1));
  EXPECT_EQ(parsed.asked.checkpoint, kWhole);
  EXPECT_EQ(EditOf(parsed.spec).checkpoint, kWhole);
  EXPECT_EQ(EditOf(parsed.spec).target_slot, 1);
  EXPECT_EQ(EditOf(parsed.spec).source_slot, 0);
  EXPECT_EQ(EditOf(parsed.spec).alpha, 3);
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    EXPECT_EQ(sequence.reading_checkpoint, kWhole);
  }
}

TEST_F(CheckpointTest, OfAGenerationIsForEditsThatNameNone) {
  const std::string edit =
      "interventions { mode: INTERVENTION_MODE_ADD target { name: 'city' } ";
  for (const bool named : {false, true}) {
    ASSERT_OK_AND_ASSIGN(
        const ParsedGeneration parsed,
        ParseGenerate(FromText<v1::GenerateRequest>(
                          "prompt { text: 'a' } checkpoint: 'whole' " + edit +
                          (named ? "checkpoint: 'main' }" : "}")),
                      env(), 1));
    EXPECT_EQ(parsed.asked.checkpoint, kWhole);
    EXPECT_EQ(parsed.spec.sequences[0].reading_checkpoint, kWhole);
    EXPECT_EQ(EditOf(parsed.spec).checkpoint, named ? 0 : kWhole);
    EXPECT_EQ(EditOf(parsed.spec).target_slot, named ? 0 : 1);
  }
}

TEST_F(CheckpointTest, OfASweep) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedSweep parsed,
      ParseSweepAlpha(FromText<v1::SweepAlphaRequest>(
                          "prompt { text: 'a' } checkpoint: 'whole' targets { "
                          "name: 'city' } alphas: 1"),
                      env(), 1));
  EXPECT_EQ(parsed.asked.checkpoint, kWhole);
  EXPECT_EQ(EditOf(parsed.spec).checkpoint, kWhole);
  EXPECT_EQ(EditOf(parsed.spec).target_slot, 1);
  for (const SequenceSpec& sequence : parsed.spec.sequences) {
    EXPECT_EQ(sequence.reading_checkpoint, kWhole);
  }
}

TEST_F(CheckpointTest, OfAReadoutAndAnInspection) {
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout read,
      ParseReadConcepts(FromText<v1::ReadConceptsRequest>(
                            "prompts { text: 'a' } checkpoint: 'whole'"),
                        env()));
  ASSERT_OK_AND_ASSIGN(
      const ParsedReadout inspection,
      ParseInspectSlots(FromText<v1::InspectSlotsRequest>(
                            "prompt { text: 'a' } checkpoint: 'whole'"),
                        env()));
  for (const ParsedReadout& parsed : {read, inspection}) {
    EXPECT_EQ(parsed.checkpoint, kWhole);
    ASSERT_EQ(parsed.spec.sequences.size(), 1u);
    const SequenceSpec& sequence = parsed.spec.sequences[0];
    EXPECT_EQ(sequence.reading_checkpoint, kWhole);
    ASSERT_EQ(sequence.observations.size(), 1u);
    EXPECT_EQ(sequence.observations[0].checkpoint, kWhole);
  }
}

}  // namespace
}  // namespace alignsae
