// What the metrics count of slots, as numbers.

#include "server/metrics/slot_activity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/metrics/exposition.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

const ConceptActivity& Find(const SlotActivity& activity,
                            const std::string& label) {
  for (const ConceptActivity& one : activity.concepts) {
    if (one.label == label) return one;
  }
  ADD_FAILURE() << label;
  return activity.concepts.front();
}

TEST(SlotActivityTest, CountsWhatIsOutsideWhereThereIsAGate) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(2);
  catalog.checkpoints[0].has_gate = true;
  const auto concepts = metrics.SetCatalog(catalog);
  EXPECT_EQ(metrics.SlotActivities()[0].total.outside, 0);
  concepts->CountOutside(0);
  concepts->CountOutside(0);
  const SlotActivity later = metrics.SlotActivities()[0].total;
  EXPECT_EQ(later.outside, 2);
  EXPECT_EQ(Since(later, later).outside, 0);
  SlotActivity before = later;
  before.outside = 1;
  EXPECT_EQ(Since(before, later).outside, 1);
  EXPECT_EQ(
      ValueOf(metrics, "alignsae_concept_outside_total{checkpoint=\"main\"}"),
      "2");
}

TEST(SlotActivityTest, IsWhatTheMetricsCount) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  concepts->CountTop(0, 1);
  concepts->CountTop(0, 1);
  concepts->CountTop(0, kNoConcept);
  concepts->CountOutside(0);
  for (double ratio : {-1.0, 0.3, 0.9, 7.0}) {
    concepts->ObserveActivationRatio(0, 1, ratio);
  }
  concepts->CountSteered(0, 1, 0);
  concepts->CountSteered(0, 1, 0);
  concepts->CountSteered(0, 0, kNoConcept);
  const std::vector<CheckpointActivity> all = metrics.SlotActivities();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].checkpoint, "main");
  EXPECT_THAT(all[0].reference, IsEmpty());
  const SlotActivity& total = all[0].total;
  EXPECT_EQ(total.unbound, 1);
  EXPECT_EQ(total.outside, std::nullopt);  // It has no gate.
  ASSERT_EQ(total.concepts.size(), 2u);
  EXPECT_EQ(total.concepts[0].label, "c0");
  EXPECT_EQ(total.concepts[0].count, 0);
  const ConceptActivity& c1 = Find(total, "c1");
  EXPECT_EQ(c1.top, 2);
  EXPECT_EQ(c1.count, 4);
  EXPECT_DOUBLE_EQ(c1.ratio_sum, 7.2);
  ASSERT_EQ(c1.ratio_counts.size(), ActivationRatioBounds().size() + 1);
  EXPECT_THAT(c1.ratio_counts, ElementsAre(1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1));
  ASSERT_EQ(total.steered.size(), 2u);
  EXPECT_EQ(total.steered[0].source, "c0");
  EXPECT_EQ(total.steered[0].target, "none");
  EXPECT_EQ(total.steered[1].count, 2);
}

TEST(SlotActivityTest, ConceptsBehindTheLabelsAreOneAndAPlainSaeIsNone) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(70);
  catalog.checkpoints.push_back({});
  catalog.checkpoints.back().name = "plain";
  const auto concepts = metrics.SetCatalog(catalog);
  concepts->CountTop(0, 66);
  concepts->CountTop(0, 69);
  const std::vector<CheckpointActivity> all = metrics.SlotActivities();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].total.concepts.size(), 65u);
  EXPECT_EQ(Find(all[0].total, "other").top, 2);
}

TEST(SlotActivityTest, TellsTheReferenceOfTheNewestGeneration) {
  Metrics metrics({}, "1");
  Catalog catalog = CatalogWith(2);
  catalog.checkpoints[0].evaluation_json =
      R"({"test": {"binding": {"confusion": {"c0": {"c0": 3}, "c1": {"c1": 1}},)"
      R"( "by_relation": {"c0": {"bound": 1}, "c1": {"bound": 1}}}}})";
  const auto first = metrics.SetCatalog(catalog);
  EXPECT_THAT(metrics.SlotActivities()[0].reference,
              ElementsAre(Pair("c0", 0.75), Pair("c1", 0.25), Pair("none", 0)));
  const auto second = metrics.SetCatalog(CatalogWith(3));
  EXPECT_THAT(metrics.SlotActivities()[0].reference, IsEmpty());
  EXPECT_EQ(metrics.SlotActivities()[0].total.concepts.size(), 3u);
}

TEST(SlotActivityTest, SinceIsWhatIsNew) {
  SlotActivity earlier;
  earlier.unbound = 3;
  earlier.concepts = {{"a", 2, 5, 1.5, {1, 4}}};
  earlier.steered = {{"a", "b", 4}, {"b", "a", 1}};
  SlotActivity now = earlier;
  now.unbound = 4;
  now.concepts = {{"a", 3, 7, 2.5, {1, 6}}, {"b", 1, 1, 0.5, {0, 1}}};
  now.steered = {{"a", "b", 6}, {"b", "a", 1}, {"b", "c", 1}};
  const SlotActivity since = Since(earlier, now);
  EXPECT_EQ(since.unbound, 1);
  ASSERT_EQ(since.concepts.size(), 2u);
  EXPECT_EQ(since.concepts[0].top, 1);
  EXPECT_EQ(since.concepts[0].count, 2);
  EXPECT_DOUBLE_EQ(since.concepts[0].ratio_sum, 1);
  EXPECT_THAT(since.concepts[0].ratio_counts, ElementsAre(0, 2));
  EXPECT_EQ(since.concepts[1].top, 1);
  ASSERT_EQ(since.steered.size(), 2u);
  EXPECT_EQ(since.steered[0].count, 2);
  EXPECT_EQ(since.steered[1].target, "c");
}

}  // namespace
}  // namespace alignsae
