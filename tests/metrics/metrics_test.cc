#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/metrics/exposition.h"

namespace alignsae {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRead[] = "ConceptService/ReadConcepts";

TEST(MetricsTest, ExposesExactlyTheseNamesAndTypes) {
  Metrics metrics({kRead}, "1.2.3");
  Catalog catalog = CatalogWith(1);
  catalog.model.type_measurements = {{.type = "int8"}};
  catalog.checkpoints[0].concepts[0].certificate =
      WriteCertificate{.measured_swap = MeasuredSwapOf(1, 2, 3, 4)};
  catalog.checkpoints[0].evaluation_json =
      R"({"prompts": {"read": {"rate": 1}, "confusion": {"c0": {"c0": 1}}}})";
  catalog.checkpoints[0].has_gate = true;
  const auto concepts = metrics.SetCatalog(catalog);
  metrics.SetValidatedBinding("main", 1);
  concepts->CountSteered(0, kNoConcept, 0);  // Pairs are not there before.
  std::vector<std::string> types;
  for (absl::string_view line :
       absl::StrSplit(metrics.ExpositionText(), '\n')) {
    if (absl::StartsWith(line, "# TYPE ")) types.emplace_back(line.substr(7));
  }
  std::sort(types.begin(), types.end());
  const char* const kGolden[] = {
      "alignsae_audit_lines_lost_total counter",
      "alignsae_build_info gauge",
      "alignsae_call_memory_bytes gauge",
      "alignsae_cancel_to_free_seconds histogram",
      "alignsae_checkpoint_evaluation gauge",
      "alignsae_checkpoint_info gauge",
      "alignsae_concept_active_mean gauge",
      "alignsae_concept_confidence histogram",
      "alignsae_concept_margin histogram",
      "alignsae_concept_measured_swap gauge",
      "alignsae_concept_outside_total counter",
      "alignsae_concept_reference_share gauge",
      "alignsae_concept_threshold gauge",
      "alignsae_concept_top_total counter",
      "alignsae_concept_written_share gauge",
      "alignsae_forks_total counter",
      "alignsae_generated_concept_total counter",
      "alignsae_generated_tokens_total counter",
      "alignsae_http_connections gauge",
      "alignsae_http_refused_total counter",
      "alignsae_kv_slots gauge",
      "alignsae_kv_slots_in_use gauge",
      "alignsae_kv_tokens gauge",
      "alignsae_kv_tokens_in_use gauge",
      "alignsae_log_lines_dropped_total counter",
      "alignsae_model_load_seconds gauge",
      "alignsae_model_warm_up_seconds gauge",
      "alignsae_plaintext_exposed gauge",
      "alignsae_prefix_tokens_saved_total counter",
      "alignsae_prompt_tokens_total counter",
      "alignsae_queue_depth gauge",
      "alignsae_queue_tokens gauge",
      "alignsae_queue_wait_seconds histogram",
      "alignsae_rejected_total counter",
      "alignsae_rpc_duration_seconds histogram",
      "alignsae_rpc_in_flight gauge",
      "alignsae_rpc_requests_total counter",
      "alignsae_slot_activation_ratio histogram",
      "alignsae_steering_alpha histogram",
      "alignsae_steering_concept_total counter",
      "alignsae_steering_ineffective_total counter",
      "alignsae_steering_norm_ratio histogram",
      "alignsae_steering_total counter",
      "alignsae_step_duration_seconds histogram",
      "alignsae_step_rows histogram",
      "alignsae_time_per_output_token_seconds histogram",
      "alignsae_time_to_first_token_seconds histogram",
      "alignsae_validated_binding gauge",
      "alignsae_weight_type_info gauge",
      "alignsae_weight_type_kl gauge",
      "alignsae_weight_type_top1 gauge",
      "process_cpu_seconds_total counter",
      "process_max_fds gauge",
      "process_open_fds gauge",
      "process_resident_memory_bytes gauge",
      "process_start_time_seconds gauge",
      "process_threads gauge",
      "process_virtual_memory_bytes gauge",
  };
  EXPECT_THAT(types, ElementsAreArray(kGolden));
}

TEST(MetricsTest, CountsRpcsByMethodAndCode) {
  Metrics metrics({kRead}, "1");
  metrics.RpcStarted(kRead);
  metrics.RpcStarted(kRead);
  metrics.RpcFinished(kRead, "NOT_FOUND", absl::Milliseconds(20));
  const std::string method = absl::StrCat("method=\"", kRead, "\"");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("alignsae_rpc_requests_total{code=\"",
                                          "NOT_FOUND\",", method, "}")),
            "1");
  EXPECT_EQ(ValueOf(metrics, absl::StrCat("alignsae_rpc_requests_total{code=\"",
                                          "OK\",", method, "}")),
            "0");
  EXPECT_EQ(
      ValueOf(metrics, absl::StrCat("alignsae_rpc_in_flight{", method, "}")),
      "1");
  EXPECT_EQ(
      ValueOf(metrics, absl::StrCat("alignsae_rpc_duration_seconds_count{",
                                    method, "}")),
      "1");
  EXPECT_EQ(
      ValueOf(metrics, absl::StrCat("alignsae_rpc_duration_seconds_bucket{",
                                    method, ",le=\"0.025\"}")),
      "1");
}

TEST(MetricsTest, CountsAnUnknownMethodAsOther) {
  Metrics metrics({kRead}, "1");
  metrics.RpcStarted("Hostile/Name");
  metrics.RpcFinished("Hostile/Name", "OK", absl::ZeroDuration());
  EXPECT_THAT(metrics.ExpositionText(), Not(HasSubstr("Hostile")));
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_rpc_requests_total{code=\"OK\",method="
                    "\"other\"}"),
            "1");
}

TEST(MetricsTest, TellsWhatIsLoadedWithShortHashes) {
  Metrics metrics({}, "1.2.3");
  const auto concepts = metrics.SetCatalog(CatalogWith(1));
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_checkpoint_info{name=\"main\",sha256="
                    "\"0123456789ab\",version=\"3\"}"),
            "1");
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_build_info{name=\"alignsae-server\","
                    "version=\"1.2.3\"}"),
            "1");
}

TEST(MetricsTest, LeavesOutRatiosThatAreNotFinite) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(1));
  concepts->ObserveActivationRatio(0, 0,
                                   std::numeric_limits<double>::infinity());
  concepts->ObserveActivationRatio(0, 0, 1.0);
  metrics.ObserveSteeringNormRatio(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(ValueOf(metrics,
                    "alignsae_slot_activation_ratio_count{checkpoint="
                    "\"main\",concept=\"c0\"}"),
            "1");
  EXPECT_EQ(ValueOf(metrics, "alignsae_steering_norm_ratio_count"), "0");
}

TEST(MetricsTest, AsksForCallMemoryAndDroppedLinesAtEachScrape) {
  Metrics metrics({}, "1");
  int64_t held = 7;
  int64_t dropped = 3;
  Metrics::Probes probes;
  probes.call_memory_bytes = [&] { return held; };
  probes.log_lines_dropped = [&] { return dropped; };
  probes.http_connections = [] { return int64_t{4}; };
  metrics.SetProbes(std::move(probes));
  EXPECT_EQ(ValueOf(metrics, "alignsae_call_memory_bytes"), "7");
  EXPECT_EQ(ValueOf(metrics, "alignsae_log_lines_dropped_total"), "3");
  EXPECT_EQ(ValueOf(metrics, "alignsae_http_connections"), "4");
  held = 0;
  dropped = 5;
  EXPECT_EQ(ValueOf(metrics, "alignsae_call_memory_bytes"), "0");
  EXPECT_EQ(ValueOf(metrics, "alignsae_log_lines_dropped_total"), "5");
}

TEST(MetricsTest, TellsOfTheCertificateWhereThereIsOne) {
  Metrics plain({}, "1");
  plain.SetProbes({});
  EXPECT_EQ(plain.ExpositionText().find("alignsae_tls_"), std::string::npos);
  EXPECT_EQ(ValueOf(plain, "alignsae_plaintext_exposed"), "0");
  plain.SetPlaintextExposed(true);
  EXPECT_EQ(ValueOf(plain, "alignsae_plaintext_exposed"), "1");

  Metrics metrics({}, "1");
  std::pair<int64_t, int64_t> reloads = {0, 1};
  Metrics::Probes probes;
  probes.tls_not_after = [] { return 1800000000.0; };
  probes.tls_reloads = [&] { return reloads; };
  metrics.SetProbes(std::move(probes));
  const std::string ok = "alignsae_tls_reloads_total{result=\"ok\"}";
  const std::string failed = "alignsae_tls_reloads_total{result=\"failed\"}";
  EXPECT_EQ(ValueOf(metrics, "alignsae_tls_certificate_not_after_seconds"),
            "1800000000");
  EXPECT_EQ(ValueOf(metrics, ok), "0");
  EXPECT_EQ(ValueOf(metrics, failed), "1");
  reloads = {2, 1};
  EXPECT_EQ(ValueOf(metrics, ok), "2");
  EXPECT_EQ(ValueOf(metrics, failed), "1");
}

TEST(MetricsTest, EveryReasonOfARefusalHasItsOwnCounterFromZero) {
  const std::pair<Rejection, const char*> kReasons[] = {
      {Rejection::kQueueFull, "queue_full"},
      {Rejection::kTokenBudget, "token_budget"},
      {Rejection::kDeadline, "deadline"},
      {Rejection::kDraining, "draining"},
      {Rejection::kStarting, "starting"},
      {Rejection::kMemory, "memory"}};
  Metrics metrics({}, "1");
  int count = 0;
  for (const auto& [reason, label] : kReasons) {
    const std::string series =
        absl::StrCat("alignsae_rejected_total{reason=\"", label, "\"}");
    EXPECT_EQ(ValueOf(metrics, series), "0");
    ++count;
    for (int i = 0; i < count; ++i) metrics.CountRejected(reason);
    EXPECT_EQ(ValueOf(metrics, series), absl::StrCat(count));
  }
}

TEST(MetricsTest, EveryRefusalOfTheFrontDoorHasItsOwnCounterFromZero) {
  const std::pair<HttpRefusal, const char*> kReasons[] = {
      {HttpRefusal::kConnections, "connections"},
      {HttpRefusal::kHead, "head"},
      {HttpRefusal::kHost, "host"},
      {HttpRefusal::kOrigin, "origin"},
      {HttpRefusal::kPath, "path"},
      {HttpRefusal::kContentType, "content_type"},
      {HttpRefusal::kBody, "body"},
      {HttpRefusal::kMemory, "memory"},
      {HttpRefusal::kTime, "time"}};
  Metrics metrics({}, "1");
  for (const auto& [reason, label] : kReasons) {
    const std::string series =
        absl::StrCat("alignsae_http_refused_total{reason=\"", label, "\"}");
    EXPECT_EQ(ValueOf(metrics, series), "0");
    metrics.CountHttpRefused(reason);
    EXPECT_EQ(ValueOf(metrics, series), "1");
  }
}

TEST(MetricsTest, EveryModeHasItsOwnCounterFromZero) {
  Metrics metrics({}, "1");
  int count = 0;
  for (const char* name : {"ADD", "ADD_NORM_MATCHED", "SET", "MULTIPLY",
                           "ABLATE", "SWAP", "REPLACE", "PROJECT_OUT"}) {
    const std::string series =
        absl::StrCat("alignsae_steering_total{mode=\"", name, "\"}");
    EXPECT_EQ(ValueOf(metrics, series), "0");
    ++count;
    for (int i = 0; i < count; ++i) {
      metrics.CountSteering(*ParseInterventionMode(name));
    }
    EXPECT_EQ(ValueOf(metrics, series), absl::StrCat(count));
  }
}

TEST(MetricsTest, EveryReasonOfAnEditWithoutEffectHasItsOwnCounterFromZero) {
  const std::pair<Ineffective, const char*> kReasons[] = {
      {Ineffective::kNoPosition, "no_position"},
      {Ineffective::kNoChange, "no_change"},
      {Ineffective::kBelowThreshold, "below_threshold"}};
  Metrics metrics({}, "1");
  int count = 0;
  for (InterventionMode mode : kInterventionModes) {
    for (const auto& [reason, label] : kReasons) {
      const std::string series = absl::StrCat(
          "alignsae_steering_ineffective_total{mode=\"",
          InterventionModeName(mode), "\",reason=\"", label, "\"}");
      EXPECT_EQ(ValueOf(metrics, series), "0");
      ++count;
      for (int i = 0; i < count; ++i) metrics.CountIneffective(mode, reason);
      EXPECT_EQ(ValueOf(metrics, series), absl::StrCat(count));
    }
  }
}

TEST(MetricsTest, AlphaIsObservedUnderItsModeIfThatHasOne) {
  Metrics metrics({}, "1");
  int alpha = 0;
  for (InterventionMode mode : kInterventionModes) {
    metrics.ObserveAlpha(mode, ++alpha);
    EXPECT_EQ(
        ValueOf(metrics, absl::StrCat("alignsae_steering_alpha_sum{mode=\"",
                                      InterventionModeName(mode), "\"}")),
        HasAlpha(mode) ? absl::StrCat(alpha) : "absent");
  }
}

TEST(MetricsTest, TellsHowLongLoadAndWarmUpTook) {
  Metrics metrics({}, "1");
  metrics.SetLoadTimes(absl::Seconds(3), absl::Milliseconds(250));
  EXPECT_EQ(ValueOf(metrics, "alignsae_model_load_seconds"), "3");
  EXPECT_EQ(ValueOf(metrics, "alignsae_model_warm_up_seconds"), "0.25");
}

TEST(MetricsTest, CountsTokensStepsAndTimes) {
  Metrics metrics({}, "1");
  metrics.CountTokens(12, 3);
  metrics.CountForks(4, 44);
  metrics.ObserveStep(absl::Milliseconds(4), 5);
  metrics.generations().AddSlotsInUse("m", 2);
  metrics.generations().AddTokensInUse("m", 20);
  metrics.generations().AddQueued("m", 7);
  metrics.generations().AddQueuedTokens(70);
  metrics.ObserveQueueWait(absl::Milliseconds(1));
  metrics.ObserveFirstToken(absl::Milliseconds(1));
  metrics.ObserveTokenTime(absl::Milliseconds(1));
  metrics.ObserveCancelToFree(absl::Milliseconds(1));
  EXPECT_EQ(ValueOf(metrics, "alignsae_prompt_tokens_total"), "12");
  EXPECT_EQ(ValueOf(metrics, "alignsae_forks_total"), "4");
  EXPECT_EQ(ValueOf(metrics, "alignsae_prefix_tokens_saved_total"), "44");
  EXPECT_EQ(ValueOf(metrics, "alignsae_generated_tokens_total"), "3");
  EXPECT_EQ(ValueOf(metrics, "alignsae_step_rows_sum"), "5");
  EXPECT_EQ(ValueOf(metrics, "alignsae_kv_slots_in_use"), "2");
  EXPECT_EQ(ValueOf(metrics, "alignsae_kv_tokens_in_use"), "20");
  EXPECT_EQ(ValueOf(metrics, "alignsae_queue_depth"), "7");
  EXPECT_EQ(ValueOf(metrics, "alignsae_queue_tokens"), "70");
  for (const char* name : {"queue_wait", "time_to_first_token",
                           "time_per_output_token", "cancel_to_free"}) {
    EXPECT_EQ(
        ValueOf(metrics, absl::StrCat("alignsae_", name, "_seconds_count")),
        "1");
  }
}

// A different value for each, so that none can stand in for another.
TEST(MetricsTest, EveryObservationIsAddedToItsOwnHistogram) {
  Metrics metrics({kRead}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(2));
  metrics.RpcStarted(kRead);
  metrics.RpcFinished(kRead, "OK", absl::Seconds(0.5));
  metrics.ObserveStep(absl::Seconds(1), 2);
  metrics.ObserveQueueWait(absl::Seconds(3));
  metrics.ObserveFirstToken(absl::Seconds(4));
  metrics.ObserveTokenTime(absl::Seconds(5));
  metrics.ObserveCancelToFree(absl::Seconds(6));
  metrics.ObserveSteeringNormRatio(7);
  concepts->ObserveActivationRatio(0, 1, -8);  // A slot below zero.
  for (const auto& [name, sum] : std::vector<std::pair<std::string, int>>{
           {"step_duration_seconds", 1},
           {"step_rows", 2},
           {"queue_wait_seconds", 3},
           {"time_to_first_token_seconds", 4},
           {"time_per_output_token_seconds", 5},
           {"cancel_to_free_seconds", 6},
           {"steering_norm_ratio", 7}}) {
    EXPECT_EQ(ValueOf(metrics, absl::StrCat("alignsae_", name, "_sum")),
              absl::StrCat(sum));
    EXPECT_EQ(ValueOf(metrics, absl::StrCat("alignsae_", name, "_count")), "1");
  }
  const std::string method = absl::StrCat("{method=\"", kRead, "\"}");
  EXPECT_EQ(ValueOf(metrics, "alignsae_rpc_duration_seconds_sum" + method),
            "0.5");
  EXPECT_EQ(ValueOf(metrics, "alignsae_rpc_in_flight" + method), "0");
  const std::string ratio =
      "alignsae_slot_activation_ratio_sum{checkpoint=\"main\",concept=";
  EXPECT_EQ(ValueOf(metrics, ratio + "\"c1\"}"), "-8");
  EXPECT_EQ(ValueOf(metrics, ratio + "\"c0\"}"), "0");
}

// Dashboards and alerts name these bounds.
TEST(MetricsTest, BucketsHaveTheseBounds) {
  Metrics metrics({}, "1");
  const auto concepts = metrics.SetCatalog(CatalogWith(1));
  std::map<std::string, std::string> bounds;
  for (const std::string& line : Series(metrics)) {
    const size_t bucket = line.find("_bucket{");
    const size_t le = line.find("le=\"");
    if (bucket == std::string::npos || le == std::string::npos) continue;
    const std::string bound =
        line.substr(le + 4, line.find('"', le + 4) - le - 4);
    std::string& known = bounds[line.substr(0, bucket)];
    if (absl::EndsWith(known, "+Inf ")) continue;  // The next series of it.
    absl::StrAppend(&known, bound, " ");
  }
  const std::string token =
      "0.001 0.0025 0.005 0.01 0.02 0.03 0.05 0.075 0.1 0.15 0.25 0.5 1 2.5 "
      "+Inf ";
  const std::map<std::string, std::string> expected = {
      {"alignsae_rpc_duration_seconds",
       "0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 "
       "+Inf "},
      {"alignsae_queue_wait_seconds",
       "0.001 0.005 0.01 0.05 0.1 0.25 0.5 1 2.5 5 10 +Inf "},
      {"alignsae_time_to_first_token_seconds",
       "0.001 0.005 0.01 0.02 0.04 0.06 0.08 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 "
       "+Inf "},
      {"alignsae_time_per_output_token_seconds", token},
      {"alignsae_step_duration_seconds", token},
      {"alignsae_cancel_to_free_seconds",
       "0.001 0.005 0.01 0.02 0.05 0.1 0.25 1 +Inf "},
      {"alignsae_step_rows", "1 2 4 8 16 32 64 128 +Inf "},
      {"alignsae_slot_activation_ratio",
       "0 0.1 0.25 0.5 0.75 1 1.25 1.5 2 3 5 +Inf "},
      {"alignsae_concept_confidence", "0.1 0.25 0.5 0.75 0.9 0.99 +Inf "},
      {"alignsae_concept_margin", "0.1 0.25 0.5 0.75 0.9 0.99 +Inf "},
      {"alignsae_steering_alpha",
       "0 0.1 0.25 0.5 0.75 1 1.25 1.5 2 3 5 10 50 +Inf "},
      {"alignsae_steering_norm_ratio",
       "0.01 0.03 0.1 0.2 0.3 0.5 0.75 1 1.5 2 5 10 +Inf "}};
  EXPECT_EQ(bounds, expected);
}

TEST(MetricsTest, TellsOfTheProcess) {
  Metrics metrics({}, "1");
  for (const char* name : {"process_resident_memory_bytes", "process_open_fds",
                           "process_threads", "process_start_time_seconds"}) {
    const std::string value = ValueOf(metrics, name);
    ASSERT_NE(value, "absent") << name;
    EXPECT_GT(std::stod(value), 0) << name;
  }
}

}  // namespace
}  // namespace alignsae
