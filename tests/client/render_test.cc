#include "client/cli/render.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/table.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

v1::ListConceptsResponse Concepts(const std::string& concepts) {
  v1::ListConceptsResponse answer;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("checkpoints { checkpoint { name: 'main' } ", concepts, "}"),
      &answer));
  return answer;
}

// The part of `text` behind its last empty line.
std::string LastLines(const std::string& text) {
  return text.substr(text.rfind("\n\n") + 2);
}

constexpr char kCertified[] =
    "concepts { name: 'birth_city' certificate { cosine: 0.9482 "
    "written_share: 0.8214 predicted_alpha: 1.2174 measured_swap { tries: 2000 "
    "successes: 1918 rate: 0.959 low: 0.9494 high: 0.9668 wordings: 10 people: "
    "200 } } } ";

TEST(RenderConceptsTest, CertificatesAreATable) {
  EXPECT_EQ(LastLines(RenderConcepts(Concepts(kCertified))),
            "writes      cosine  written  alpha  swap   interval     tries  "
            "wordings  people\n"
            "birth_city   0.948    0.821   1.22  0.959  0.949-0.967   2000"
            "        10     200\n");
}

TEST(RenderConceptsTest, WhatIsAbsentIsSaid) {
  const std::string block = LastLines(RenderConcepts(Concepts(
      absl::StrCat(kCertified,
                   "concepts { name: 'silent' certificate { cosine: 0 } } "
                   "concepts { name: 'new' } "))));
  EXPECT_THAT(block, HasSubstr("silent       0.000    0.000  -      -      -"));
  EXPECT_THAT(block, HasSubstr("1 of 3 concepts have no write certificate\n"));
  EXPECT_THAT(block,
              HasSubstr("1 of 2 write certificates have no measured swap\n"));
  EXPECT_EQ(LastLines(RenderConcepts(Concepts("concepts { name: 'new' } "))),
            "no write certificates\n");
  EXPECT_THAT(RenderConcepts(Concepts("")), Not(HasSubstr("certificate")));
}

TEST(RenderConceptsTest, TheTableFitsEightyColumns) {
  const std::string wide = absl::StrCat(
      "concepts { name: 'a_very_long_n\303\244me_that_somebody_gave' "
      "certificate { cosine: -0.1 written_share: -2.28 predicted_alpha: "
      "-0.4386 measured_swap { tries: 12000 successes: 12 rate: 0.001 low: "
      "0.0006 high: "
      "0.0017 wordings: 100 people: 100000 } } } ");
  const std::string block = LastLines(RenderConcepts(Concepts(wide)));
  EXPECT_THAT(block, HasSubstr("a_very_lo…"));
  for (const auto line : absl::StrSplit(block, '\n')) {
    EXPECT_LE(DisplayWidth(line), 80) << line;
  }
}

v1::InspectSlotsResponse Inspection() {
  v1::InspectSlotsResponse answer;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "concepts { name: 'city' } prompt_token_ids: [5, 6] tokens { piece: 'a' "
      "reading { position: 0 values: 1 } } tokens { piece: 'b' reading { "
      "position: 1 values: 2 bound: true top_concept: 'city' } } hook_point { "
      "kind: HOOK_KIND_RESID_PRE layer: 3 }",
      &answer));
  return answer;
}

TEST(RenderInspectionTest, PositionsOutOfTheTrainingAreDimAndALineSaysSo) {
  const Look look = {.width = 0, .colour = true};
  const std::string last =
      RenderInspection(Inspection(), v1::TRAINED_POSITIONS_LAST, look);
  EXPECT_THAT(last, HasSubstr("\x1b[2m       0  'a'    1.000  -\x1b[0m\n"));
  EXPECT_THAT(last, HasSubstr("\n       1  'b'    2.000  city\n"));
  EXPECT_THAT(last, HasSubstr("resid_pre[3]; the SAE was trained on the last "
                              "position of prompts only"));
  const std::string all =
      RenderInspection(Inspection(), v1::TRAINED_POSITIONS_ALL, look);
  EXPECT_THAT(all, Not(HasSubstr("\x1b[2m")));
  EXPECT_THAT(all, HasSubstr("trained on every position"));
  EXPECT_THAT(
      RenderInspection(Inspection(), v1::TRAINED_POSITIONS_UNSPECIFIED, look),
      HasSubstr("does not say which positions"));
}

TEST(RenderReadingsTest, BarsTakeWhatIsLeftOfTheWidth) {
  v1::ReadConceptsResponse answer;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "concepts { name: 'birth_city' slot: 1 } readings { reading { values: 2 "
      "probabilities: 1 top_concept: 'birth_city' bound: true } }",
      &answer));
  const auto bar = [&](int width) {
    const std::string text = RenderReadings(answer, {.width = width});
    size_t cells = 0;
    for (size_t at = text.find("█"); at != std::string::npos;
         at = text.find("█", at + 3)) {
      ++cells;
    }
    return cells;
  };
  EXPECT_EQ(bar(0), 24u);
  EXPECT_EQ(bar(120), 24u);
  EXPECT_EQ(bar(50), 12u);
  EXPECT_EQ(bar(38), 0u);  // Too few to tell anything.
}

}  // namespace
}  // namespace alignsae
