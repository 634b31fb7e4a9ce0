// alignsae-load: sends a load of mixed RPCs to a server and tells what came
// back: rates, latencies, refusals. The report is written whatever the Verdict.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/lib/credential_flags.h"
#include "client/lib/servers.h"
#include "client/load/load_options.h"
#include "client/load/load_report.h"
#include "client/load/load_runner.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/terminal/command_line.h"
#include "model/terminal/exit_code.h"
#include "model/terminal/terminal.h"

namespace alignsae {
namespace {

struct Flags {
  LoadOptions options;
  std::string mix = "swap=1";
  double seconds = 10, warmup_seconds = 1, deadline_seconds = 5;
  double health_seconds = 0.1;
  std::string json, csv, plot;
  CredentialFlags credentials;
};

absl::Status Run(Flags& flags) {
  LoadOptions& options = flags.options;
  ALIGNSAE_ASSIGN_OR_RETURN(options.mix, ParseMix(flags.mix));
  ALIGNSAE_RETURN_IF_ERROR(TargetOf(options.target).status());
  ALIGNSAE_RETURN_IF_ERROR(ReadCredentials(flags.credentials, options));
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
  // Last: a reader of the pipe that goes takes no file with it.
  WriteStdout(ReportText(report));
  ALIGNSAE_RETURN_IF_ERROR(CheckStdout());
  return Verdict(report);
}

// How calls come.
void AddLoop(CLI::App& app, Flags& flags) {
  LoadOptions& options = flags.options;
  app.add_option(
         "-s,--server", options.target,
         "Server, host:port; several, separated by commas, are used in turn")
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
                 "RPCs and their weights: read, inspect, stream, swap, "
                 "complete, generate, sweep, model, concepts, tokenize, "
                 "detokenize, explain, validate, watch")
      ->capture_default_str();
  app.add_option("-n,--max-new-tokens", options.max_new_tokens,
                 "Tokens of an answer")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--shared-head", options.shared_head,
                 "Put so many tokens, the same ones, in front of every prompt")
      ->check(CLI::Range(1, 1 << 20));
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
  app.add_option("--clients", options.clients,
                 "So many clients, with numbers behind --client-id, in turn")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--json", flags.json, "Write the report here")
      ->type_name(kFileType);
  app.add_option("--csv", flags.csv, "Write every call here")
      ->type_name(kFileType);
  app.add_option("--plot", flags.plot,
                 "Write a gnuplot script here that draws the CSV")
      ->type_name(kFileType);
}

constexpr char kName[] = "alignsae-load";
constexpr char kExitCodes[] =
    "Exit codes: 0 measured, and the server worked; 64 wrong flag; 69 no "
    "server, or it failed meanwhile; 74 the report did not arrive whole.";

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Sends a load of mixed RPCs to an AlignSAE server.", kName);
  app.footer(kExitCodes);
  AddStandardFlags(app);
  AddLoop(app, flags);
  AddCredentialFlags(app, flags.credentials);
  AddCalls(app, flags);
  AddOutput(app, flags);
  if (const auto code = ParseCommandLine(app, argc, argv, kExitUsage)) {
    return FinishStdout(kName, *code);
  }
  const absl::Status status = Run(flags);
  if (status.ok()) return FinishStdout(kName, kExitOk);
  std::fprintf(stderr, "alignsae-load: %s: %s\n",
               absl::StatusCodeToString(status.code()).c_str(),
               std::string(status.message()).c_str());
  if (absl::IsInvalidArgument(status)) return kExitUsage;
  // Of a file or of standard output: the server is never to blame for these.
  const bool output =
      absl::IsDataLoss(status) || absl::IsResourceExhausted(status);
  return output ? kExitOutput : kExitUnavailable;
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) { return alignsae::Main(argc, argv); }
