// Concepts as JSON: what is read is what was written.

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
  entry.certificate =
      WriteCertificate{.cosine = 0.95,
                       .written_share = 0.8,
                       .measured_swap = MeasuredSwapOf(90, 100, 10, 10)};
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
