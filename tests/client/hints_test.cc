#include "client/cli/hints.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::ListConceptsResponse Served(const std::string& recommended = "1") {
  v1::ListConceptsResponse concepts;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat(
          "checkpoints { checkpoint { name: 'main' recommended_alpha: ",
          recommended,
          " } concepts { name: 'city' slot: 4 certificate { "
          "predicted_alpha: 2 } } concepts { name: 'date' slot: 5 } } "
          "checkpoints { checkpoint { name: 'other' "
          "recommended_alpha: 10 } concepts { name: 'city' } }"),
      &concepts));
  return concepts;
}

// A swap to city, with what `text` says otherwise.
v1::Intervention Edit(const std::string& text) {
  v1::Intervention edit;
  edit.set_mode(v1::INTERVENTION_MODE_SWAP);
  edit.mutable_target()->set_name("city");
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &edit));
  return edit;
}

TEST(AlphaHintsTest, NothingIsSaidInsideTheRange) {
  for (const char* alpha : {"0.5", "1", "6"}) {
    EXPECT_THAT(
        AlphaHints(Served(), "", {Edit(absl::StrCat("alpha: ", alpha))}),
        IsEmpty())
        << alpha;
  }
  EXPECT_THAT(AlphaHints(Served(), "", {Edit("")}), IsEmpty());
}

TEST(AlphaHintsTest, OutsideItTheSentenceHasTheRangeAndWhereItIsFrom) {
  EXPECT_THAT(
      AlphaHints(Served(), "", {Edit("alpha: 6.1"), Edit("alpha: 0.4")}),
      ElementsAre("alpha 6.1 is above the useful range of city, 0.5 to 6 (main "
                  "recommends 1, city's certificate predicts 2): the answer "
                  "may fall apart",
                  "alpha 0.4 is below the useful range of city, 0.5 to 6 (main "
                  "recommends 1, city's certificate predicts 2): the answer "
                  "may not change"));
}

TEST(AlphaHintsTest, TheRequestsCheckpointAndTheConceptsSlotCount) {
  EXPECT_THAT(AlphaHints(Served(), "other", {Edit("alpha: 6")}), IsEmpty());
  EXPECT_THAT(AlphaHints(Served(), "", {Edit("checkpoint: 'other' alpha: 4")}),
              ElementsAre(HasSubstr("5 to 30 (other recommends 10)")));
  EXPECT_THAT(AlphaHints(Served(), "", {Edit("target { slot: 5 } alpha: 9")}),
              ElementsAre(HasSubstr("of date, 0.5 to 3")));
}

TEST(AlphaHintsTest, NothingIsSaidOfWhatIsNotKnown) {
  EXPECT_THAT(AlphaHints(Served(), "",
                         {Edit("alpha: 99 unit: ALPHA_UNIT_RAW"),
                          Edit("alpha: 99 mode: INTERVENTION_MODE_ADD"),
                          Edit("alpha: 99 target { name: 'new' }"),
                          Edit("alpha: 99 target { slot: 77 }")}),
              IsEmpty());
  EXPECT_THAT(AlphaHints(Served("0"), "", {Edit("alpha: 99")}),
              ElementsAre(HasSubstr("1 to 6 (city's certificate predicts 2)")));
  EXPECT_THAT(
      AlphaHints(Served("0"), "", {Edit("target { slot: 5 } alpha: 99")}),
      IsEmpty());
}

}  // namespace
}  // namespace alignsae
