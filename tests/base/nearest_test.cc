#include "model/base/nearest.h"

#include <gtest/gtest.h>

namespace alignsae {
namespace {

TEST(NearestTest, DistanceCountsWhatMustBeDoneToAWord) {
  EXPECT_EQ(EditDistance("swap", "swap"), 0);
  EXPECT_EQ(EditDistance("swap", "SWAP"), 0);
  EXPECT_EQ(EditDistance("swp", "swap"), 1);    // Put in.
  EXPECT_EQ(EditDistance("swapp", "swap"), 1);  // Left out.
  EXPECT_EQ(EditDistance("swop", "swap"), 1);   // Changed.
  EXPECT_EQ(EditDistance("sawp", "swap"), 1);   // Neighbours exchanged.
  EXPECT_EQ(EditDistance("", "swap"), 4);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3);
}

TEST(NearestTest, TheNearestNameThatIsNear) {
  const std::vector<std::string> names = {"birth_city", "birth_date",
                                          "employer", "major"};
  EXPECT_EQ(Nearest("employr", names), "employer");
  EXPECT_EQ(Nearest("Major", names), "major");
  EXPECT_EQ(Nearest("birth_dat", names), "birth_date");
  EXPECT_EQ(Nearest("birthcity", names), "birth_city");
  EXPECT_EQ(Nearest("emp", names), "employer");  // Its beginning.
  EXPECT_EQ(Nearest("em", names), "");           // Too little of it.
  EXPECT_EQ(Nearest("weather", names), "");
  EXPECT_EQ(Nearest("", names), "");
  EXPECT_EQ(Nearest("x", {}), "");
  EXPECT_EQ(Nearest(std::string(200, 'a'), {std::string(200, 'a')}), "");
}

}  // namespace
}  // namespace alignsae
