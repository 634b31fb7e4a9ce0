// Concepts as JSON: what is read is what was written, and a figure that follows
// from others cannot be edited.

#include "model/steering/concept.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;

Concept Certified() {
  Concept entry;
  entry.name = "birth_city";
  entry.slot = 3;
  entry.description = "Where";
  entry.example = "Where was Ada born?";
  entry.active_mean = 4.5;
  entry.threshold = 1.5;
  const Interval interval = WilsonInterval(90, 100);
  entry.certificate = WriteCertificate{.cosine = 0.95,
                                       .written_share = 0.8,
                                       .predicted_alpha = 1.25,
                                       .n = 100,
                                       .rate = 0.9,
                                       .low = interval.low,
                                       .high = interval.high};
  return entry;
}

absl::StatusOr<std::vector<Concept>> Read(const nlohmann::json& concepts) {
  const nlohmann::json root = {{"concepts", concepts}};
  return ReadConcepts(JsonObject::Of(root, "f.json").value(), "concepts");
}

TEST(ConceptTest, IsReadAsItWasWritten) {
  Concept plain;
  plain.name = "employer";
  plain.slot = 1;
  const std::vector<Concept> concepts = {Certified(), plain};
  EXPECT_THAT(Read(ConceptsToJson(concepts)),
              IsOkAndHolds(ElementsAre(Certified(), plain)));
  EXPECT_FALSE(ConceptsToJson({plain})[0].contains("certificate"));
}

TEST(ConceptTest, FiguresAndTextsAreBounded) {
  const auto refused = [](const char* field, const nlohmann::json& value,
                          const std::string& words) {
    nlohmann::json concepts = ConceptsToJson({Certified()});
    concepts[0][field] = value;
    const absl::StatusOr<std::vector<Concept>> read = Read(concepts);
    const absl::Status status =
        read.ok() ? CheckConcepts(*read, 10, "c") : read.status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument,
                                 ::testing::HasSubstr(words)))
        << field;
  };
  refused("active_mean", 1e39,
          "active_mean: must be in [-1e+12, 1e+12], got 1e+39");
  refused("threshold", -2e12, "threshold: must be in [-1e+12, 1e+12], got -2e");
  refused("description", std::string(4097, 'x'),
          "description: must be at most 4096 bytes, got 4097");
  refused("example", std::string(4097, 'x'),
          "example: must be at most 4096 bytes, got 4097");
  Concept most = Certified();
  most.active_mean = 1e12;
  most.description = std::string(4096, 'x');
  EXPECT_OK(CheckConcepts({most}, 10, "c"));
}

TEST(ConceptTest, WilsonIntervalsAreThoseOfTheTextbook) {
  const Interval half = WilsonInterval(5, 10);
  EXPECT_NEAR(half.low, 0.2366, 1e-4);
  EXPECT_NEAR(half.high, 0.7634, 1e-4);
  EXPECT_EQ(WilsonInterval(0, 20).low, 0);
  EXPECT_NEAR(WilsonInterval(0, 20).high, 0.1611, 1e-4);
  EXPECT_NEAR(WilsonInterval(20, 20).high, 1, 1e-12);
}

TEST(ConceptTest, AnEditedFigureOfACertificateIsRefused) {
  const auto refused = [](const char* pointer, const nlohmann::json& value,
                          const std::string& words) {
    nlohmann::json concepts = ConceptsToJson({Certified()});
    concepts[0]["certificate"][nlohmann::json::json_pointer(pointer)] = value;
    EXPECT_THAT(Read(concepts), StatusIs(absl::StatusCode::kInvalidArgument,
                                         ::testing::HasSubstr(words)))
        << pointer;
  };
  refused("/predicted_alpha", 1,
          "predicted_alpha: must be 1.25, which follows");
  refused("/written_share", 0.9, "predicted_alpha: must be 1.1");
  refused("/measured_swap/low", 0.85, "low: must be 0.82");
  refused("/measured_swap/high", 0.99, "high: must be 0.94");
  refused("/measured_swap/n", 1000u, "low: must be 0.8");
  refused("/measured_swap/rate", 0.99, "low: must be 0.9");
  refused("/measured_swap/n", 0u, "n: must be in [1, 2^53], got 0");
  refused("/measured_swap/rate", 1.5, "rate: must be in [0, 1], got 1.5");
  refused("/cosine", 1.5, "cosine: must be in [-1, 1], got 1.5");
  refused("/certified", true, "certified");
}

TEST(ConceptTest, NamesAndSlotsFollowTheirRules) {
  const auto refused = [](Concept entry, const std::string& words) {
    EXPECT_THAT(CheckConcepts({Certified(), entry}, 8, "cfg.json: concepts"),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "cfg.json: concepts[1]." + words));
  };
  Concept entry;
  entry.name = "employer";
  entry.slot = 1;
  EXPECT_OK(CheckConcepts({Certified(), entry}, 8, "concepts"));
  Concept bad = entry;
  bad.name = "birth_city";
  refused(bad, "name: must be distinct, got \"birth_city\" as in concepts[0]");
  bad.name = "a\tb";
  refused(bad,
          "name: must be 1 to 128 bytes without control characters, got "
          "\"a\\tb\"");
  bad = entry;
  bad.slot = 3;
  refused(bad, "slot: must be distinct, got 3 as in concepts[0]");
  bad.slot = 8;
  refused(bad, "slot: must be in [0, 7], got 8");
  bad.slot = -1;
  refused(bad, "slot: must be in [0, 7], got -1");
}

}  // namespace
}  // namespace alignsae
