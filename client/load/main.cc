// alignsae-load: sends a load of mixed RPCs to a server and tells what came
// back: rates, latencies, refusals. Exit 0: measured, and the server worked
// (see Verdict); 64: bad command line; 69: no server, or it failed meanwhile.
// The report is written either way.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/load/load_options.h"
#include "client/load/load_report.h"
#include "client/load/load_runner.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

struct Flags {
  LoadOptions options;
  std::string mix = "swap=1";
  double seconds = 10, warmup_seconds = 1, deadline_seconds = 5;
  double health_seconds = 0.1;
  std::string json, csv, plot;
};

absl::Status Run(Flags& flags) {
  LoadOptions& options = flags.options;
  ALIGNSAE_ASSIGN_OR_RETURN(options.mix, ParseMix(flags.mix));
  if (!flags.plot.empty() && flags.csv.empty()) {
    return absl::InvalidArgumentError(
        "--plot: must not be given without --csv");
  }
  options.duration = absl::Seconds(flags.seconds);
  options.warmup = absl::Seconds(flags.warmup_seconds);
  options.deadline = absl::Seconds(flags.deadline_seconds);
  options.health_every = absl::Seconds(flags.health_seconds);
  ALIGNSAE_ASSIGN_OR_RETURN(const LoadResult result, RunLoad(options));
  const nlohmann::json report =
      LoadReport(options, result.samples, result.health, result.seconds);
  std::fputs(ReportText(report).c_str(), stdout);
  if (!flags.json.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(flags.json, report.dump(1) + "\n"));
  }
  if (!flags.csv.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(flags.csv, SamplesCsv(result.samples)));
  }
  if (!flags.plot.empty()) {
    ALIGNSAE_RETURN_IF_ERROR(WriteFileAtomically(
        flags.plot, PlotScript(flags.csv, absl::StrCat(flags.plot, ".png"))));
  }
  return Verdict(report);
}

// How calls come.
void AddLoop(CLI::App& app, Flags& flags) {
  LoadOptions& options = flags.options;
  app.add_option("-s,--server", options.target, "Server, host:port")
      ->envname("ALIGNSAE_SERVER")
      ->capture_default_str();
  app.add_option("--concurrency", options.concurrency,
                 "Closed loop: callers, each calling again when it is answered")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--rate", options.rate,
                 "Open loop: calls per second, whatever the server does")
      ->check(CLI::PositiveNumber);
  app.add_option("--connections", options.connections,
                 "Connections that the calls go over in turn")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

// What a call asks for, and for how long calls come.
void AddCalls(CLI::App& app, Flags& flags) {
  LoadOptions& options = flags.options;
  app.add_option("--seconds", flags.seconds, "Time that is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--warmup-seconds", flags.warmup_seconds, "Time before it")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--deadline-seconds", flags.deadline_seconds,
                 "Deadline of a call, from when it is due")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--mix", flags.mix,
                 "RPCs and their weights: read, swap, complete, generate")
      ->capture_default_str();
  app.add_option("-n,--max-new-tokens", options.max_new_tokens,
                 "Tokens of an answer")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_flag("!--stop-at-eos", options.ignore_eos,
               "Let answers end at the end-of-text token");
  app.add_option("--seed", options.seed, "Decides times and RPCs")
      ->capture_default_str();
}

// What is measured beside them and where it is written.
void AddOutput(CLI::App& app, Flags& flags) {
  LoadOptions& options = flags.options;
  app.add_option("--health-seconds", flags.health_seconds,
                 "A health check every so often; 0: none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--client-id", options.client_id, "Sent as x-client-id");
  app.add_option("--json", flags.json, "Write the report here");
  app.add_option("--csv", flags.csv, "Write every call here");
  app.add_option("--plot", flags.plot,
                 "Write a gnuplot script here that draws the CSV");
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  alignsae::Flags flags;
  CLI::App app{"Sends a load of mixed RPCs to an AlignSAE server."};
  app.name("alignsae-load");
  alignsae::AddLoop(app, flags);
  alignsae::AddCalls(app, flags);
  alignsae::AddOutput(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  }
  const absl::Status status = alignsae::Run(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "alignsae-load: %s: %s\n",
               absl::StatusCodeToString(status.code()).c_str(),
               std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? 64 : 69;
}
