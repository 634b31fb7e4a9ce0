// Metrics by checkpoint and concept: their labels, their bound, and what is
// told only while it is loaded.

#include "server/metrics/concept_families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/metrics/exposition.h"

namespace alignsae {
namespace {

// `alignsae_<name>` of one concept of "main".
std::string Of(const std::string& name, const std::string& concept_label) {
  return absl::StrCat("alignsae_", name, "{checkpoint=\"main\",concept=\"",
                      concept_label, "\"}");
}

TEST(ConceptFamiliesTest, CountsConceptsOfTheCatalogAndUnboundPrompts) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  concepts->CountTop(0, 1);
  concepts->CountTop(0, -1);
  for (int i = 0; i < 3; ++i) concepts->CountTop(0, 0);
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_concept_top_total{checkpoint=\"main\","
                    "concept=\"c1\"}"),
            "1");
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_concept_top_total{checkpoint=\"main\","
                    "concept=\"none\"}"),
            "1");
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_concept_top_total{checkpoint=\"main\","
                    "concept=\"c0\"}"),
            "3");
}

TEST(ConceptFamiliesTest, NamesAtMostSixtyFourConceptsThenOther) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(200));
  concepts->CountTop(0, 63);
  concepts->CountTop(0, 64);
  concepts->CountTop(0, 199);
  std::set<std::string> labels;
  for (const std::string& line : Series(metrics)) {
    if (absl::StartsWith(line, "alignsae_concept_top_total")) {
      labels.insert(line);
    }
  }
  EXPECT_EQ(labels.size(), 66u);  // 64, other and none.
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_concept_top_total{checkpoint=\"main\","
                    "concept=\"c63\"}"),
            "1");
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_concept_top_total{checkpoint=\"main\","
                    "concept=\"other\"}"),
            "2");
}

TEST(ConceptFamiliesTest,
     ASecondGenerationCountsInTheSameSeriesBesideTheFirst) {
  Metrics metrics({}, "1");
  auto first = metrics.SetCatalog(CatalogWith(2));
  Catalog grown = CatalogWith(3);
  grown.model.version = "4";
  const auto second = metrics.SetCatalog(grown);
  first->CountTop(0, 1);
  second->CountTop(0, 1);
  second->CountTop(0, 2);
  const std::string top =
      "alignsae_concept_top_total{checkpoint=\"main\",concept=";
  EXPECT_EQ(ValueOf(metrics, top + "\"c1\"}"), "2");
  EXPECT_EQ(ValueOf(metrics, top + "\"c2\"}"), "1");
  const auto info = [](const char* version) {
    return absl::StrCat("alignsae_checkpoint_info{name=\"main\",sha256=",
                        "\"0123456789ab\",version=\"", version, "\"}");
  };
  EXPECT_EQ(ValueOf(metrics, info("3")), "1");
  EXPECT_EQ(ValueOf(metrics, info("4")), "1");
  first.reset();  // Its last call has ended.
  EXPECT_EQ(ValueOf(metrics, info("3")), "absent");
  EXPECT_EQ(ValueOf(metrics, info("4")), "1");
  EXPECT_EQ(ValueOf(metrics, top + "\"c1\"}"), "2");
}

TEST(ConceptFamiliesTest, GenerationsWithTheSameCheckpointShareItsInfo) {
  Metrics metrics({}, "1");
  auto first = metrics.SetCatalog(CatalogWith(1));
  auto second = metrics.SetCatalog(CatalogWith(1));
  const std::string info =
      "alignsae_checkpoint_info{name=\"main\",sha256=\"0123456789ab\","
      "version=\"3\"}";
  EXPECT_EQ(ValueOf(metrics, info), "1");
  first.reset();
  EXPECT_EQ(ValueOf(metrics, info), "1");
  second.reset();
  EXPECT_EQ(ValueOf(metrics, info), "absent");
}

TEST(ConceptFamiliesTest, TheBoundOfConceptLabelsHoldsOverAllGenerations) {
  Metrics metrics({}, "1");
  const auto first = metrics.SetCatalog(CatalogWith(60));
  Catalog other = CatalogWith(60);
  other.checkpoints[0].name = "second";
  const auto second = metrics.SetCatalog(other);
  std::set<std::string> named;
  for (const std::string& line : Series(metrics)) {
    if (absl::StartsWith(line, "alignsae_concept_top_total") &&
        line.find("\"other\"") == std::string::npos &&
        line.find("\"none\"") == std::string::npos) {
      named.insert(line);
    }
  }
  EXPECT_EQ(named.size(), 64u);
}

TEST(ConceptFamiliesTest, AConceptNamedNoneOrOtherHasASeriesOfItsOwn) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(4);
  const char* const kNames[] = {"none", "other", "#none", "#c"};
  for (int i = 0; i < 4; ++i) {
    catalog.checkpoints[0].concepts[i].name = kNames[i];
  }
  const auto concepts = metrics.SetCatalog(catalog);
  for (int i = 0; i < 4; ++i) {
    for (int times = 0; times <= i; ++times) concepts->CountTop(0, i);
  }
  for (int times = 0; times < 7; ++times) concepts->CountTop(0, kNoConcept);
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "#none")), "1");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "#other")), "2");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "##none")), "3");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "#c")), "4");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "none")), "7");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "other")), "absent");
}

TEST(ConceptFamiliesTest, GeneratedTokensAreCountedApartFromPrompts) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  concepts->CountGenerated(0, 1);
  concepts->CountGenerated(0, kNoConcept);
  concepts->CountGenerated(0, kNoConcept);
  EXPECT_EQ(ValueOf(metrics, Of("generated_concept_total", "c0")), "0");
  EXPECT_EQ(ValueOf(metrics, Of("generated_concept_total", "c1")), "1");
  EXPECT_EQ(ValueOf(metrics, Of("generated_concept_total", "none")), "2");
  EXPECT_EQ(ValueOf(metrics, Of("concept_top_total", "none")), "0");
}

TEST(ConceptFamiliesTest, ConfidenceAndMarginAreObservedUnderTheTopConcept) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  concepts->ObserveConfidence(0, 1, 0.75, 0.5);
  concepts->ObserveConfidence(0, kNoConcept, 0.25, 0.125);
  concepts->ObserveConfidence(0, 1, std::numeric_limits<double>::quiet_NaN(),
                              std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(ValueOf(metrics, Of("concept_confidence_sum", "c1")), "0.75");
  EXPECT_EQ(ValueOf(metrics, Of("concept_confidence_count", "c1")), "1");
  EXPECT_EQ(ValueOf(metrics, Of("concept_margin_sum", "c1")), "0.5");
  EXPECT_EQ(ValueOf(metrics, Of("concept_margin_count", "c1")), "1");
  EXPECT_EQ(ValueOf(metrics, Of("concept_confidence_sum", "none")), "0.25");
  EXPECT_EQ(ValueOf(metrics, Of("concept_margin_sum", "none")), "0.125");
}

std::string Steered(const std::string& source, const std::string& target) {
  return absl::StrCat(
      "alignsae_steering_concept_total{checkpoint=\"main\",source=\"", source,
      "\",target=\"", target, "\"}");
}

TEST(ConceptFamiliesTest, SteeringIsCountedByWhatIsClearedAndWritten) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  concepts->CountSteered(0, 0, 1);
  concepts->CountSteered(0, 0, 1);
  concepts->CountSteered(0, kNoConcept, 1);
  concepts->CountSteered(0, 1, kOtherSlot);
  EXPECT_EQ(ValueOf(metrics, Steered("c0", "c1")), "2");
  EXPECT_EQ(ValueOf(metrics, Steered("none", "c1")), "1");
  EXPECT_EQ(ValueOf(metrics, Steered("c1", "other")), "1");
  EXPECT_EQ(ValueOf(metrics, Steered("c1", "c0")), "absent");
}

TEST(ConceptFamiliesTest, NoMoreThanSoManyPairsAreNamed) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(40));
  for (int source = 0; source < 40; ++source) {
    for (int target = 0; target < 40; ++target) {
      concepts->CountSteered(0, source, target);
    }
  }
  int series = 0;
  for (const std::string& line : Series(metrics)) {
    if (absl::StartsWith(line, "alignsae_steering_concept_total")) ++series;
  }
  EXPECT_EQ(series, kMaxSteeringPairs + 1);
  EXPECT_EQ(ValueOf(metrics, Steered("other", "other")),
            absl::StrCat(40 * 40 - kMaxSteeringPairs));
  concepts->CountSteered(0, 0, 0);  // One that has a series keeps it.
  EXPECT_EQ(ValueOf(metrics, Steered("c0", "c0")), "2");
}

std::string OfType(const std::string& figure, const std::string& type) {
  return absl::StrCat("alignsae_weight_type_", figure, "{model=\"m\",type=\"",
                      type, "\"}");
}

constexpr char kEvaluation[] = R"({"test": {"binding": {
    "diagonal_accuracy": 0.75, "by_relation": {"c0": {"bound": 0.5}},
    "confusion": {"c0": {"c0": 20}, "c1": {"c0": 10, "c1": 10}}}}})";

TEST(ConceptFamiliesTest, WhatABundleSaysIsToldAsLongAsItIsLoaded) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(2);
  CheckpointInfo& checkpoint = catalog.checkpoints[0];
  checkpoint.evaluation_json = kEvaluation;
  checkpoint.concepts[1].active_mean = 2.5;
  checkpoint.concepts[1].threshold = 0.5;
  catalog.model.name = "m";
  catalog.model.weight_type = "bf16";
  catalog.model.type_measurements = {{.type = "int8", .kl = 0.5, .top1 = 0.25}};
  auto first = metrics.SetCatalog(catalog);
  auto second = metrics.SetCatalog(catalog);
  const std::string accuracy =
      "alignsae_checkpoint_evaluation{checkpoint=\"main\",figure=\"read_"
      "accuracy\"}";
  for (int generations = 2; generations > 0; --generations) {
    EXPECT_EQ(ValueOf(metrics, accuracy), "0.75");
    EXPECT_EQ(ValueOf(metrics, OfType("info", "bf16")), "1");
    EXPECT_EQ(ValueOf(metrics, OfType("kl", "int8")), "0.5");
    EXPECT_EQ(ValueOf(metrics, OfType("top1", "int8")), "0.25");
    EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "c0")), "0.5");
    EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "c1")), "0.25");
    EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "none")), "0.25");
    EXPECT_EQ(ValueOf(metrics, Of("concept_active_mean", "c1")), "2.5");
    EXPECT_EQ(ValueOf(metrics, Of("concept_threshold", "c1")), "0.5");
    (generations == 2 ? first : second).reset();
  }
  EXPECT_EQ(ValueOf(metrics, accuracy), "absent");
  EXPECT_EQ(ValueOf(metrics, OfType("info", "bf16")), "absent");
  EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "c0")), "absent");
  EXPECT_EQ(ValueOf(metrics, Of("concept_active_mean", "c1")), "absent");
}

TEST(ConceptFamiliesTest, ReferenceSharesOfOthersAreAddedUp) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(66);
  catalog.checkpoints[0].evaluation_json =
      R"({"test": {"binding": {"confusion":
          {"c64": {"c64": 1, "c65": 2, "c0": 1}}}}})";
  const auto concepts = metrics.SetCatalog(catalog);
  EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "other")), "0.75");
  EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "c0")), "0.25");
  EXPECT_EQ(ValueOf(metrics, Of("concept_reference_share", "c1")), "0");
  EXPECT_EQ(ValueOf(metrics, Of("concept_active_mean", "other")), "absent");
}

TEST(ConceptFamiliesTest, ShowsWriteCertificatesForAsLongAsTheyAreLoaded) {
  Catalog catalog = CatalogWith(kMaxConceptLabels + 1);
  std::vector<Concept>& entries = catalog.checkpoints[0].concepts;
  entries[0].certificate = WriteCertificate{
      .written_share = 0.75, .measured_swap = MeasuredSwapOf(1, 2, 3, 4)};
  entries[1].certificate = WriteCertificate{.written_share = -0.5};
  entries.back().certificate = WriteCertificate{.written_share = 1};
  Metrics metrics({}, "1");
  auto first = metrics.SetCatalog(catalog);
  const auto value = [&metrics](const std::string& name,
                                const std::string& label) {
    return ValueOf(
        metrics, absl::StrCat("alignsae_concept_", name,
                              "{checkpoint=\"main\",concept=\"", label, "\"}"));
  };
  EXPECT_EQ(value("written_share", "c0"), "0.75");
  EXPECT_EQ(value("measured_swap", "c0"), "0.5");
  EXPECT_EQ(value("written_share", "c1"), "-0.5");
  EXPECT_EQ(value("measured_swap", "c1"), "absent");
  EXPECT_EQ(value("written_share", "c2"), "absent");
  EXPECT_EQ(value("written_share", "other"), "absent");
  // A second generation, certified anew.
  entries[0].certificate->written_share = 0.5;
  auto second = metrics.SetCatalog(catalog);
  EXPECT_EQ(value("written_share", "c0"), "0.5");
  first.reset();
  EXPECT_EQ(value("written_share", "c0"), "0.5");
  second.reset();
  EXPECT_EQ(value("written_share", "c0"), "absent");
  EXPECT_EQ(value("measured_swap", "c0"), "absent");
}

}  // namespace
}  // namespace alignsae
