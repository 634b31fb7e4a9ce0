#include "client/load/load_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::HasSubstr;

LoadSample Sample(const std::string& code, double latency, int tokens,
                  bool in_deadline) {
  LoadSample sample;
  sample.rpc = "swap";
  sample.code = code;
  sample.latency = latency;
  sample.generated_tokens = tokens;
  sample.in_deadline = in_deadline;
  return sample;
}

TEST(LoadReportTest, PercentileIsTheSmallestThatTheShareDoesNotPass) {
  std::vector<double> values = {5, 1, 4, 2, 3};
  EXPECT_EQ(Percentile(values, 0.5), 3);
  EXPECT_EQ(Percentile(values, 0.2), 1);
  EXPECT_EQ(Percentile(values, 0.21), 2);
  EXPECT_EQ(Percentile(values, 0.99), 5);
  EXPECT_EQ(Percentile(values, 1), 5);
  std::vector<double> none;
  EXPECT_EQ(Percentile(none, 0.5), 0);
}

TEST(LoadReportTest, GoodputCountsOnlyWhatCameInItsDeadline) {
  const nlohmann::json report = LoadReport(
      LoadOptions(),
      {Sample("OK", 1, 10, true), Sample("OK", 9, 30, false),
       Sample("RESOURCE_EXHAUSTED", 0.002, 0, false),
       Sample("DEADLINE_EXCEEDED", 5, 0, false)},
      {{0.001, "SERVING"}, {0.003, "SERVING"}, {9, "NOT_SERVING"}}, 2);
  EXPECT_EQ(report["tokens_per_s"], 20);
  EXPECT_EQ(report["goodput_tokens_per_s"], 5);
  EXPECT_EQ(report["good_per_s"], 0.5);
  EXPECT_EQ(report["calls_per_s"], 2);
  EXPECT_EQ(report["codes"]["OK"], 2);
  EXPECT_EQ(report["latency"]["swap"]["max_ms"], 9000);
  EXPECT_EQ(report["refusals"]["p99_ms"], 2);
  EXPECT_EQ(report["health"]["max_ms"], 3);
  EXPECT_THAT(ReportText(report), HasSubstr("RESOURCE_EXHAUSTED: 1"));
}

TEST(LoadReportTest, CsvHasALineForEachCall) {
  EXPECT_EQ(SamplesCsv({Sample("OK", 0.25, 3, true)}),
            "rpc,code,due_s,latency_ms,first_token_ms,generated_tokens\n"
            "swap,OK,0.000000,250.000,0.000,3\n");
}

TEST(LoadOptionsTest, MixIsNamesWithWeights) {
  ASSERT_OK_AND_ASSIGN(const LoadMix mix, ParseMix("read=3,swap,generate=0.5"));
  EXPECT_EQ(mix, (LoadMix{{"read", 3}, {"swap", 1}, {"generate", 0.5}}));
  for (const char* bad : {"", "read=", "read=0", "read=-1", "write=1",
                          "read=1=2", "read=nan", "read,,swap"}) {
    EXPECT_THAT(ParseMix(bad), StatusIs(absl::StatusCode::kInvalidArgument,
                                        HasSubstr("--mix: must be of read")))
        << bad;
  }
}

}  // namespace
}  // namespace alignsae
