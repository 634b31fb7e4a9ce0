// What the scheduler tells comes into the metric that it belongs to.

#include "server/registry/metrics_observer.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/small_catalog.h"

namespace alignsae {
namespace {

class MetricsObserverTest : public ::testing::Test {
 protected:
  std::string Value(const std::string& series) {
    for (const std::string& line : std::vector<std::string>(
             absl::StrSplit(metrics_.ExpositionText(), '\n'))) {
      if (line.rfind("alignsae_" + series + " ", 0) == 0) {
        return line.substr(line.rfind(' ') + 1);
      }
    }
    return "none";
  }
  // Of the first checkpoint.
  std::string Top(const std::string& name) {
    return Value(absl::StrCat(
        "concept_top_total{checkpoint=\"main\",concept=\"", name, "\"}"));
  }
  std::string Ratio(const std::string& what, const std::string& name) {
    return Value(absl::StrCat("slot_activation_ratio_", what,
                              "{checkpoint=\"main\",concept=\"", name, "\"}"));
  }
  std::string Rejected(const std::string& reason) {
    return Value(absl::StrCat("rejected_total{reason=\"", reason, "\"}"));
  }
  static ConceptReading Reading(std::vector<float> values, int top,
                                bool bound) {
    ConceptReading reading;
    reading.values = std::move(values);
    reading.top = top;
    reading.bound = bound;
    return reading;
  }

  Metrics metrics_{{}, "test"};
  MetricsObserver observer_{&metrics_, "m", SmallCatalog(), {4, 400}};
};

TEST_F(MetricsObserverTest, GaugesFollowTheQueueAndTheSlots) {
  EXPECT_EQ(Value("kv_slots"), "4");
  EXPECT_EQ(Value("kv_tokens"), "400");
  for (const int depth : {3, 0, 2}) {
    observer_.OnQueue(depth, 100 * depth);
    EXPECT_EQ(Value("queue_depth"), absl::StrCat(depth));
    EXPECT_EQ(Value("queue_tokens"), absl::StrCat(100 * depth));
  }
  StepReport report;
  for (const int in_use : {4, 0, 1}) {
    report.kv_slots_in_use = in_use;
    report.kv_tokens_in_use = 90 * in_use;
    observer_.OnStep(report);
    EXPECT_EQ(Value("kv_slots_in_use"), absl::StrCat(in_use));
    EXPECT_EQ(Value("kv_tokens_in_use"), absl::StrCat(90 * in_use));
  }
}

TEST_F(MetricsObserverTest, GenerationsAddUpAndTakeOffWhatTheyHeld) {
  StepReport report;
  report.kv_slots_in_use = 3;
  report.kv_tokens_in_use = 30;
  observer_.OnStep(report);
  observer_.OnQueue(2, 100);
  {
    MetricsObserver other(&metrics_, "n", SmallCatalog(), {8, 800});
    report.kv_slots_in_use = 5;
    report.kv_tokens_in_use = 50;
    other.OnStep(report);
    other.OnQueue(7, 100);
    EXPECT_EQ(Value("kv_slots"), "12");
    EXPECT_EQ(Value("kv_tokens"), "1200");
    EXPECT_EQ(Value("kv_tokens_in_use"), "80");
    EXPECT_EQ(Value("queue_tokens"), "200");
    EXPECT_EQ(Value("model_kv_tokens_in_use{model=\"n\"}"), "50");
    EXPECT_EQ(Value("kv_slots_in_use"), "8");
    EXPECT_EQ(Value("queue_depth"), "9");
    EXPECT_EQ(Value("model_queue_depth{model=\"m\"}"), "2");
    EXPECT_EQ(Value("model_queue_depth{model=\"n\"}"), "7");
    EXPECT_EQ(Value("model_kv_slots_in_use{model=\"n\"}"), "5");
  }
  EXPECT_EQ(Value("kv_slots"), "4");
  EXPECT_EQ(Value("kv_slots_in_use"), "3");
  EXPECT_EQ(Value("kv_tokens"), "400");
  EXPECT_EQ(Value("kv_tokens_in_use"), "30");
  EXPECT_EQ(Value("queue_tokens"), "100");
  EXPECT_EQ(Value("queue_depth"), "2");
  EXPECT_EQ(Value("model_queue_depth{model=\"n\"}"), "0");
}

TEST_F(MetricsObserverTest, EveryRejectionIsCountedUnderItsReason) {
  const std::vector<std::pair<RejectReason, std::string>> reasons = {
      {RejectReason::kQueueFull, "queue_full"},
      {RejectReason::kTokenBudget, "token_budget"},
      {RejectReason::kDeadline, "deadline"},
      {RejectReason::kDraining, "draining"}};
  for (const auto& [reason, label] : reasons) {
    EXPECT_EQ(Rejected(label), "0");
    observer_.OnRejected(reason);
    EXPECT_EQ(Rejected(label), "1");
  }
}

TEST_F(MetricsObserverTest, CountsWhatThePrefixCacheDid) {
  const auto prompts = [this](const std::string& result) {
    return Value(absl::StrCat(
        "prefix_cache_prompts_total{model=\"m\",result=\"", result, "\"}"));
  };
  EXPECT_EQ(prompts("hit"), "0");  // The series are there.
  StepReport report;
  report.prefix = {.hits = 1,
                   .misses = 2,
                   .barred = 3,
                   .tokens_taken = 40,
                   .evictions = 5,
                   .tokens_kept = 60};
  observer_.OnStep(report);
  observer_.OnStep(report);
  EXPECT_EQ(prompts("hit"), "2");
  EXPECT_EQ(prompts("miss"), "4");
  EXPECT_EQ(prompts("barred"), "6");
  EXPECT_EQ(Value("prefix_cache_tokens_saved_total{model=\"m\"}"), "80");
  EXPECT_EQ(Value("prefix_cache_evictions_total{model=\"m\"}"), "10");
  EXPECT_EQ(Value("prefix_cache_tokens{model=\"m\"}"), "60");
}

TEST_F(MetricsObserverTest, OnlyAStepWithRowsIsAStep) {
  StepReport report;
  observer_.OnStep(report);
  EXPECT_EQ(Value("step_duration_seconds_count"), "0");
  report.rows = 3;
  report.duration = absl::Seconds(2);
  report.prompt_tokens = 10;
  report.generated_tokens = 20;
  report.forks = 30;
  report.prefix_tokens_saved = 40;
  observer_.OnStep(report);
  EXPECT_EQ(Value("step_duration_seconds_count"), "1");
  EXPECT_EQ(Value("step_duration_seconds_sum"), "2");
  EXPECT_EQ(Value("step_rows_sum"), "3");
  EXPECT_EQ(Value("prompt_tokens_total"), "10");
  EXPECT_EQ(Value("generated_tokens_total"), "20");
  EXPECT_EQ(Value("forks_total"), "30");
  EXPECT_EQ(Value("prefix_tokens_saved_total"), "40");
}

TEST_F(MetricsObserverTest, EveryTimeIsObservedInItsOwnHistogram) {
  observer_.OnQueueWait(absl::Seconds(1));
  observer_.OnFirstToken(absl::Seconds(2));
  observer_.OnTokenTime(absl::Seconds(3));
  observer_.OnCancelledFree(absl::Seconds(4));
  EXPECT_EQ(Value("queue_wait_seconds_sum"), "1");
  EXPECT_EQ(Value("time_to_first_token_seconds_sum"), "2");
  EXPECT_EQ(Value("time_per_output_token_seconds_sum"), "3");
  EXPECT_EQ(Value("cancel_to_free_seconds_sum"), "4");
}

TEST_F(MetricsObserverTest, AReadingCountsItsTopConceptIfOneIsBound) {
  observer_.OnPromptReading(Reading({2, 1}, 0, true));
  observer_.OnPromptReading(Reading({1, 2}, 1, true));
  observer_.OnPromptReading(Reading({1, 2}, 1, true));
  observer_.OnPromptReading(Reading({0, 0}, 0, false));
  EXPECT_EQ(Top("city"), "1");
  EXPECT_EQ(Top("job"), "2");
  EXPECT_EQ(Top("none"), "1");
}

TEST_F(MetricsObserverTest, AValueIsMeasuredInActiveMeansAlsoBelowZero) {
  observer_.OnPromptReading(Reading({3, -6}, 0, true));  // The mean is 1.5.
  EXPECT_EQ(Ratio("sum", "city"), "2");
  EXPECT_EQ(Ratio("sum", "job"), "-4");
  // One that is no number is counted nowhere, and harms nothing.
  observer_.OnPromptReading(
      Reading({std::numeric_limits<float>::quiet_NaN(), 3}, 1, true));
  EXPECT_EQ(Ratio("sum", "city"), "2");
  EXPECT_EQ(Ratio("count", "city"), "1");
  EXPECT_EQ(Ratio("sum", "job"), "-2");
}

TEST_F(MetricsObserverTest, EveryInterventionAndEveryChangeIsCounted) {
  std::vector<Intervention> interventions(2);
  interventions[0].mode = InterventionMode::kAdd;
  interventions[1].mode = InterventionMode::kSwap;
  std::vector<InterventionReceipt> receipts(2);
  PositionEffect effect;
  effect.residual_norm = 2;
  for (const double change : {1.0, 3.0}) {
    effect.change_norm = change;
    receipts[1].effects.push_back(effect);
  }
  observer_.OnSteered(interventions, receipts);
  EXPECT_EQ(Value("steering_total{mode=\"ADD\"}"), "1");
  EXPECT_EQ(Value("steering_total{mode=\"SWAP\"}"), "1");
  EXPECT_EQ(Value("steering_norm_ratio_count"), "2");
  EXPECT_EQ(Value("steering_norm_ratio_sum"), "2");
}

TEST_F(MetricsObserverTest, ConfidenceIsThatOfTheTopConcept) {
  ConceptReading reading = Reading({2, 1}, 1, true);
  reading.probabilities = {0.25F, 0.75F};
  reading.margin = 0.5;
  observer_.OnPromptReading(reading);
  reading.bound = false;
  observer_.OnPromptReading(reading);
  const auto of = [this](const char* what, const char* name) {
    return Value(
        absl::StrCat(what, "_sum{checkpoint=\"main\",concept=\"", name, "\"}"));
  };
  EXPECT_EQ(of("concept_confidence", "job"), "0.75");
  EXPECT_EQ(of("concept_margin", "job"), "0.5");
  EXPECT_EQ(of("concept_confidence", "city"), "0");
  EXPECT_EQ(of("concept_confidence", "none"), "0.75");
}

TEST_F(MetricsObserverTest, AGeneratedTokenIsNoPrompt) {
  observer_.OnGeneratedReading(Reading({2, 1}, 0, true));
  observer_.OnGeneratedReading(Reading({0, 0}, 0, false));
  const auto generated = [this](const char* name) {
    return Value(absl::StrCat(
        "generated_concept_total{checkpoint=\"main\",concept=\"", name, "\"}"));
  };
  EXPECT_EQ(generated("city"), "1");
  EXPECT_EQ(generated("job"), "0");
  EXPECT_EQ(generated("none"), "1");
  EXPECT_EQ(Top("city"), "0");
}

TEST_F(MetricsObserverTest, AlphaInUnitRawIsNotAmongTheAlphas) {
  Intervention intervention;
  intervention.alpha = 1.5;
  observer_.OnSteered({intervention}, {InterventionReceipt()});
  intervention.unit = AlphaUnit::kRaw;
  intervention.alpha = 40;
  observer_.OnSteered({intervention}, {InterventionReceipt()});
  EXPECT_EQ(Value("steering_alpha_sum{mode=\"SWAP\"}"), "1.5");
  EXPECT_EQ(Value("steering_alpha_count{mode=\"SWAP\"}"), "1");
}

// One intervention with one receipt, and how it is counted.
class SteeredTest : public MetricsObserverTest {
 protected:
  SteeredTest() {
    intervention_.target_slot = 1;  // "job", bound from 0.5.
    effect_.residual_norm = 1;
    effect_.change_norm = 1;
    effect_.target_after = 2;
  }
  void Steer(std::vector<PositionEffect> effects) {
    InterventionReceipt receipt;
    receipt.positions_applied = static_cast<int64_t>(effects.size());
    receipt.effects = std::move(effects);
    observer_.OnSteered({intervention_}, {receipt});
  }
  std::string Steered(const std::string& source, const std::string& target) {
    return Value(
        absl::StrCat("steering_concept_total{checkpoint=\"main\",source=\"",
                     source, "\",target=\"", target, "\"}"));
  }
  std::string Ineffective(const std::string& reason) {
    return Value(absl::StrCat("steering_ineffective_total{mode=\"",
                              InterventionModeName(intervention_.mode),
                              "\",reason=\"", reason, "\"}"));
  }
  Intervention intervention_;  // SWAP, alpha 1.
  PositionEffect effect_;
};

TEST_F(SteeredTest, ASwapIsCountedFromWhatItClearedFirst) {
  PositionEffect second = effect_;
  effect_.source_slot = 0;
  second.source_slot = 7;
  Steer({effect_, second});
  EXPECT_EQ(Steered("city", "job"), "1");
  Steer({second});
  EXPECT_EQ(Steered("other", "job"), "1");
  EXPECT_EQ(Ineffective("no_change"), "0");
  EXPECT_EQ(Ineffective("below_threshold"), "0");
}

TEST_F(SteeredTest, OneSlotModesWriteTheirsAndAblateClearsIt) {
  intervention_.mode = InterventionMode::kAdd;
  Steer({effect_});
  EXPECT_EQ(Steered("none", "job"), "1");
  intervention_.mode = InterventionMode::kAblate;
  effect_.target_after = 0;
  Steer({effect_});
  EXPECT_EQ(Steered("job", "none"), "1");
  EXPECT_EQ(Ineffective("below_threshold"), "0");
  intervention_.target_slot = 9;  // No concept's.
  Steer({effect_});
  EXPECT_EQ(Steered("other", "none"), "1");
}

TEST_F(SteeredTest, AnEditThatMetNoPositionIsCountedAsThat) {
  Steer({});
  EXPECT_EQ(Ineffective("no_position"), "1");
  EXPECT_EQ(Ineffective("no_change"), "0");
  EXPECT_EQ(Steered("none", "job"), "none");  // Absent.
}

TEST_F(SteeredTest, OneThatChangedNothingAnywhereIsIneffective) {
  PositionEffect nothing = effect_;
  nothing.change_norm = 0;
  Steer({nothing, effect_});
  EXPECT_EQ(Ineffective("no_change"), "0");
  Steer({nothing, nothing});
  EXPECT_EQ(Ineffective("no_change"), "1");
}

TEST_F(SteeredTest, OneWhoseTargetIsNotBoundAfterwardsIsIneffective) {
  PositionEffect weak = effect_;
  weak.target_after = 0.4;
  Steer({weak, effect_});
  EXPECT_EQ(Ineffective("below_threshold"), "0");
  Steer({weak, weak});
  EXPECT_EQ(Ineffective("below_threshold"), "1");
  intervention_.alpha = 0;  // It was not to be bound.
  Steer({weak});
  EXPECT_EQ(Ineffective("below_threshold"), "1");
}

TEST_F(MetricsObserverTest, AShadowIsComparedOnPromptsThatBothHaveRead) {
  Rollouts rollouts;
  MetricsObserver observer(&metrics_, "m", SmallCatalog(), {4, 400}, &rollouts);
  const auto tell = [&](int checkpoint, int top, bool bound) {
    ConceptReading reading = Reading({1, 2}, top, bound);
    reading.checkpoint = checkpoint;
    observer.OnPromptReading(reading);
  };
  const std::string labels = "{checkpoint=\"whole\",model=\"m\"}";
  const auto readings = [&] { return Value("shadow_readings_total" + labels); };
  const auto disagreement = [&] {
    return Value("shadow_disagreement_total" + labels);
  };
  tell(0, 0, true);
  tell(1, 1, true);
  EXPECT_EQ(readings(), "none");
  rollouts.Set("m", {"whole", "", 0});
  tell(0, 0, true);
  tell(1, 0, true);
  EXPECT_EQ(readings() + " " + disagreement(), "1 0");
  tell(0, 0, true);
  tell(1, 1, true);
  EXPECT_EQ(readings() + " " + disagreement(), "2 1");
  tell(0, 0, true);
  tell(1, 0, false);  // Bound in one of them alone.
  EXPECT_EQ(readings() + " " + disagreement(), "3 2");
  tell(0, 0, false);
  tell(1, 1, false);  // What is not bound has no name.
  EXPECT_EQ(readings() + " " + disagreement(), "4 2");
  tell(1, 1, true);  // The prompt left before the default one's hook point.
  EXPECT_EQ(readings() + " " + disagreement(), "4 2");
}

}  // namespace
}  // namespace alignsae
