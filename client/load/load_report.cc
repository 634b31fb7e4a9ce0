#include "client/load/load_report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace alignsae {
namespace {

nlohmann::json Latencies(std::vector<double> seconds) {
  nlohmann::json json;
  json["count"] = seconds.size();
  if (seconds.empty()) return json;
  for (const auto& [name, q] : std::map<std::string, double>{
           {"p50_ms", 0.5}, {"p90_ms", 0.9}, {"p99_ms", 0.99}, {"max_ms", 1}}) {
    json[name] = 1e3 * Percentile(seconds, q);
  }
  return json;
}

std::string LatencyText(const nlohmann::json& latency) {
  return absl::StrFormat(
      "p50 %.1f  p90 %.1f  p99 %.1f  max %.1f ms",
      latency["p50_ms"].get<double>(), latency["p90_ms"].get<double>(),
      latency["p99_ms"].get<double>(), latency["max_ms"].get<double>());
}

// Latencies of the checks that say SERVING, and what the others say.
nlohmann::json Health(const std::vector<HealthSample>& health) {
  std::vector<double> serving;
  std::map<std::string, int> answers;
  for (const HealthSample& sample : health) {
    ++answers[sample.answer];
    if (sample.answer == "SERVING") serving.push_back(sample.latency);
  }
  const size_t failed = health.size() - serving.size();
  nlohmann::json json = Latencies(std::move(serving));
  json["checks"] = health.size();
  json["failed"] = failed;
  json["answers"] = answers;
  return json;
}

std::string HealthText(const nlohmann::json& health) {
  std::string text = absl::StrFormat("  health checks: %d, failed %d\n",
                                     health["checks"].get<int64_t>(),
                                     health["failed"].get<int64_t>());
  for (const auto& [answer, count] : health["answers"].items()) {
    if (answer == "SERVING") continue;
    absl::StrAppend(&text, "    ", answer, ": ", count.get<int64_t>(), "\n");
  }
  if (health["count"] > 0) {
    absl::StrAppend(&text, "  health: ", LatencyText(health), "\n");
  }
  return text;
}

}  // namespace

double Percentile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  const size_t index = static_cast<size_t>(std::max(1.0, rank)) - 1;
  return values[std::min(index, values.size() - 1)];
}

nlohmann::json LoadReport(const LoadOptions& options,
                          const std::vector<LoadSample>& samples,
                          const std::vector<HealthSample>& health,
                          double seconds) {
  std::map<std::string, std::vector<double>> ok, first;
  std::vector<double> refused;
  std::map<std::string, int> codes;
  std::map<std::string, std::vector<double>> by_client;  // Of those OK.
  int64_t tokens = 0, good_tokens = 0, good = 0;
  for (const LoadSample& sample : samples) {
    ++codes[sample.code];
    if (sample.code == "OK") {
      ok[sample.rpc].push_back(sample.latency);
      by_client[sample.client].push_back(sample.latency);
      if (sample.first_token > 0) {
        first[sample.rpc].push_back(sample.first_token);
      }
      tokens += sample.generated_tokens;
    } else if (sample.code == "RESOURCE_EXHAUSTED") {
      refused.push_back(sample.latency);
    }
    if (sample.in_deadline) {
      ++good;
      good_tokens += sample.generated_tokens;
    }
  }
  nlohmann::json report;
  report["loop"] = options.rate > 0 ? "open" : "closed";
  if (options.rate > 0) {
    report["offered_per_s"] = options.rate;
  } else {
    report["concurrency"] = options.concurrency;
  }
  report["seconds"] = seconds;
  report["codes"] = codes;
  report["calls_per_s"] = static_cast<double>(samples.size()) / seconds;
  report["good_per_s"] = static_cast<double>(good) / seconds;
  report["tokens_per_s"] = static_cast<double>(tokens) / seconds;
  report["goodput_tokens_per_s"] = static_cast<double>(good_tokens) / seconds;
  for (auto& [rpc, latency] : ok) {
    report["latency"][rpc] = Latencies(std::move(latency));
  }
  for (auto& [rpc, latency] : first) {
    report["first_token"][rpc] = Latencies(std::move(latency));
  }
  if (options.clients > 1) {
    for (auto& [client, latency] : by_client) {
      report["clients"][client] = Latencies(std::move(latency));
    }
  }
  if (!refused.empty()) report["refusals"] = Latencies(std::move(refused));
  if (!health.empty()) report["health"] = Health(health);
  return report;
}

std::string ReportText(const nlohmann::json& report) {
  std::string text = absl::StrFormat(
      "%s loop, %.1f s: %.1f calls/s, %.1f tokens/s (%.1f in their deadline)\n",
      report["loop"].get<std::string>(), report["seconds"].get<double>(),
      report["calls_per_s"].get<double>(), report["tokens_per_s"].get<double>(),
      report["goodput_tokens_per_s"].get<double>());
  for (const auto& [code, count] : report["codes"].items()) {
    absl::StrAppend(&text, "  ", code, ": ", count.get<int64_t>(), "\n");
  }
  for (const char* what : {"latency", "first_token", "clients"}) {
    if (!report.contains(what)) continue;
    for (const auto& [name, latency] : report[what].items()) {
      absl::StrAppend(&text, "  ", name, " ", what, ": ",
                      latency["count"].get<int64_t>(), " OK, ",
                      LatencyText(latency), "\n");
    }
  }
  if (report.contains("refusals")) {
    absl::StrAppend(&text, "  refusals: ", LatencyText(report["refusals"]),
                    "\n");
  }
  if (report.contains("health")) text += HealthText(report["health"]);
  return text;
}

absl::Status Verdict(const nlohmann::json& report) {
  const nlohmann::json& codes = report["codes"];
  int64_t calls = 0;
  for (const auto& [code, count] : codes.items()) calls += count.get<int64_t>();
  if (!codes.contains("OK")) {
    return absl::UnavailableError(
        absl::StrCat("calls: none of ", calls, " is OK"));
  }
  if (codes.contains("INCOMPLETE")) {
    return absl::UnavailableError(
        absl::StrCat("calls: ", codes["INCOMPLETE"].get<int64_t>(), " of ",
                     calls, " are OK without the answer asked for"));
  }
  if (report.contains("health") && report["health"]["failed"] > 0) {
    return absl::UnavailableError(absl::StrCat(
        "health checks: ", report["health"]["failed"].get<int64_t>(), " of ",
        report["health"]["checks"].get<int64_t>(),
        " were not answered SERVING: ", report["health"]["answers"].dump()));
  }
  return absl::OkStatus();
}

std::string SamplesCsv(const std::vector<LoadSample>& samples) {
  std::string csv =
      "rpc,code,due_s,latency_ms,first_token_ms,generated_tokens\n";
  for (const LoadSample& sample : samples) {
    absl::StrAppendFormat(&csv, "%s,%s,%.6f,%.3f,%.3f,%d\n", sample.rpc,
                          sample.code, sample.due, 1e3 * sample.latency,
                          1e3 * sample.first_token, sample.generated_tokens);
  }
  return csv;
}

std::string PlotScript(const std::string& csv_path,
                       const std::string& png_path) {
  const std::string data = absl::StrCat("'", csv_path, "' skip 1 using ");
  const std::string ok = "(strcol(2) eq 'OK' ? $4 : NaN)";
  const std::string other = "(strcol(2) ne 'OK' ? $4 : NaN)";
  // Statistics first: they leave out what is outside of the axes' ranges.
  return absl::StrCat(
      "set terminal pngcairo size 1000,700\nset output '", png_path,
      "'\nset datafile separator ','\nstats ", data, ok, " nooutput\n",
      "set multiplot layout 2,1\nset logscale y\n"
      "set xlabel 'due, s'\nset ylabel 'latency, ms'\n",
      "plot ", data, "3:", ok, " with points pt 7 ps 0.3 title 'OK', ", data,
      "3:", other, " with points pt 7 ps 0.3 title 'refused or failed'\n",
      "unset logscale y\nset logscale x\nset xlabel 'latency, ms'\n"
      "set ylabel 'share of OK calls'\nset yrange [0:1]\n",
      "plot ", data,
      "4:(strcol(2) eq 'OK' ? 1.0/STATS_records : 0) smooth cumulative title "
      "'OK'\nunset multiplot\n");
}

}  // namespace alignsae
