// What a load measured: exact percentiles over every call, as text, JSON and
// CSV.
//
// Latency counts from when a call was due, not from when it was sent: a slow
// server does not make the slow calls rarer (no coordinated omission).
//
// Thread-safety: value types and pure functions.

#ifndef ALIGNSAE_CLIENT_LOAD_LOAD_REPORT_H_
#define ALIGNSAE_CLIENT_LOAD_LOAD_REPORT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/load_options.h"
#include "nlohmann/json.hpp"

namespace alignsae {

// One call that has ended.
struct LoadSample {
  std::string rpc;
  std::string client;  // Its name; empty: none.
  // "OK", "RESOURCE_EXHAUSTED", ...; "INCOMPLETE": the status is OK, but the
  // answer lacks what was asked for.
  std::string code;
  double due = 0;            // Seconds since the start.
  double latency = 0;        // Seconds from then to its end.
  double first_token = 0;    // The same to the first token; "generate" only.
  int generated_tokens = 0;  // 0 unless OK.
  bool in_deadline = false;  // OK, and its latency within the deadline.
};

// One health check.
struct HealthSample {
  double latency = 0;  // Seconds from when it was due to its answer.
  // "SERVING", "NOT_SERVING", "UNKNOWN_STATUS" or, when the call failed, its
  // code.
  std::string answer;
};

// The smallest of `values` that a share `q` in (0, 1] of them does not pass; 0
// for none. Sorts.
double Percentile(std::vector<double>& values, double q);

// `samples` within the measured time of `seconds`; `health`: the checks
// meanwhile. Latencies are of what succeeded only: calls that are OK, checks
// that say SERVING. All else is counted by its code or answer.
nlohmann::json LoadReport(const LoadOptions& options,
                          const std::vector<LoadSample>& samples,
                          const std::vector<HealthSample>& health,
                          double seconds);
// UNAVAILABLE with a sentence when the report cannot be taken for the speed of
// a server that works: no call is OK, one is INCOMPLETE, or a health check was
// not answered SERVING. Refusals and missed deadlines are what a load measures.
absl::Status Verdict(const nlohmann::json& report);
std::string ReportText(const nlohmann::json& report);
// "rpc,code,due_s,latency_ms,first_token_ms,generated_tokens" and a line each.
std::string SamplesCsv(const std::vector<LoadSample>& samples);

// A gnuplot script that draws latency over time from `csv_path`, and the share
// of calls by latency, into `png_path`.
std::string PlotScript(const std::string& csv_path,
                       const std::string& png_path);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_LOAD_REPORT_H_
