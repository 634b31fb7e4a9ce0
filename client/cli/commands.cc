#include "client/cli/commands.h"

#include <google/protobuf/util/json_util.h>

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/cli/edit_spec.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "client/lib/client.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// What the command line says; one set for all subcommands, each uses its part.
struct Options {
  // Connection.
  std::string server = "127.0.0.1:50051";
  double timeout_seconds = 30;
  std::string request_id;
  std::string client_id;
  std::string tls_ca, tls_cert, tls_key;
  bool json = false;
  // Prompt.
  std::vector<std::string> prompts;
  bool raw = false;
  bool ids = false;
  std::string checkpoint;
  // Reading.
  std::optional<int> position;
  std::optional<int> top_k;
  // Steering.
  std::string source, target;
  std::optional<double> alpha;
  std::vector<std::string> targets;
  std::vector<double> alphas;
  std::string mode = "swap";
  std::vector<std::string> edits;
  std::string positions;
  bool generated = false;
  bool both = false;
  // Generation.
  std::optional<int> max_new_tokens;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<int> sample_top_k;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  int top_logprobs = 0;
  bool ignore_eos = false;
  bool trace = false;
};

absl::StatusOr<v1::Prompt> MakePrompt(const Options& options,
                                      const std::string& text) {
  v1::Prompt prompt;
  if (options.ids) {
    for (absl::string_view id :
         absl::StrSplit(text, absl::ByAnyChar(", "), absl::SkipEmpty())) {
      int32_t value = 0;
      if (!absl::SimpleAtoi(id, &value)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "prompt: must be integers with --ids, got \"", id, "\""));
      }
      prompt.mutable_token_ids()->add_ids(value);
    }
  } else if (options.raw) {
    prompt.set_text(text);
  } else {
    prompt.set_question(text);
  }
  return prompt;
}

v1::GenerationConfig MakeGeneration(const Options& options) {
  v1::GenerationConfig config;
  if (options.max_new_tokens)
    config.set_max_new_tokens(*options.max_new_tokens);
  if (options.temperature) config.set_temperature(*options.temperature);
  if (options.sample_top_k) config.set_top_k(*options.sample_top_k);
  if (options.top_p) config.set_top_p(*options.top_p);
  if (options.repetition_penalty) {
    config.set_repetition_penalty(*options.repetition_penalty);
  }
  if (options.seed) config.set_seed(*options.seed);
  for (const std::string& stop : options.stop) config.add_stop_sequences(stop);
  config.set_top_logprobs(options.top_logprobs);
  config.set_ignore_eos(options.ignore_eos);
  config.set_concept_trace(options.trace);
  return config;
}

absl::StatusOr<v1::PositionSelection> MakePositions(const Options& options) {
  v1::PositionSelection selection;
  if (!options.positions.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(selection, ParsePositions(options.positions));
  }
  selection.set_generated(options.generated);
  return selection;
}

absl::StatusOr<Client> Connect(const Options& options) {
  ClientOptions client;
  client.target = options.server;
  client.timeout = absl::Seconds(options.timeout_seconds);
  client.request_id = options.request_id;
  client.client_id = options.client_id;
  client.tls = !options.tls_ca.empty() || !options.tls_cert.empty();
  for (auto [path, pem] : {std::pair{&options.tls_ca, &client.ca_pem},
                           {&options.tls_cert, &client.certificate_pem},
                           {&options.tls_key, &client.key_pem}}) {
    if (path->empty()) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(*pem, ReadFile(*path));
  }
  return Client(std::move(client));
}

absl::Status PrintJson(const google::protobuf::Message& message,
                       bool add_whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = add_whitespace;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options)
           .ok()) {
    return absl::InternalError("cannot print the answer as JSON");
  }
  std::printf("%s\n", json.c_str());
  return absl::OkStatus();
}

template <typename Response>
absl::Status Print(const Options& options,
                   const absl::StatusOr<Response>& answer,
                   std::string (*render)(const Response&)) {
  if (!answer.ok()) return answer.status();
  if (options.json) return PrintJson(*answer, /*add_whitespace=*/true);
  std::fputs(render(*answer).c_str(), stdout);
  return absl::OkStatus();
}

absl::Status RunModel(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  return Print(options, client.GetModel({}), RenderModel);
}

absl::Status RunConcepts(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::ListConceptsRequest request;
  request.set_checkpoint(options.checkpoint);
  return Print(options, client.ListConcepts(request), RenderConcepts);
}

absl::Status RunTokenize(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::TokenizeRequest request;
  if (options.raw) {
    request.set_text(options.prompts.front());
  } else {
    request.set_question(options.prompts.front());
  }
  return Print(options, client.Tokenize(request), RenderTokens);
}

absl::Status RunRead(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::ReadConceptsRequest request;
  for (const std::string& text : options.prompts) {
    ALIGNSAE_ASSIGN_OR_RETURN(*request.add_prompts(),
                              MakePrompt(options, text));
  }
  request.set_checkpoint(options.checkpoint);
  if (options.position) request.set_position(*options.position);
  return Print(options, client.ReadConcepts(request), RenderReadings);
}

absl::Status RunInspect(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::InspectSlotsRequest request;
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  if (!options.positions.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                              ParsePositions(options.positions));
  }
  if (options.top_k) request.set_top_k(*options.top_k);
  return Print(options, client.InspectSlots(request), RenderInspection);
}

absl::Status RunSwap(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::SwapRequest request;
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  *request.mutable_target() = ParseConceptRef(options.target);
  if (options.alpha) request.set_alpha(*options.alpha);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  *request.mutable_generation() = MakeGeneration(options);
  return Print(options, client.Swap(request), RenderSwap);
}

// Prints deltas as they come. With one arm the text flows; with two, each arm's
// text is kept and printed when the stream ends, because lines would mix.
class StreamPrinter {
 public:
  explicit StreamPrinter(const Options& options)
      : options_(options), two_arms_(options.both) {}

  absl::Status OnEvent(const v1::GenerateResponse& event) {
    if (options_.json) {
      absl::Status status = PrintJson(event, /*add_whitespace=*/false);
      std::fflush(stdout);
      return status;
    }
    if (event.has_token()) Text(event.token().arm(), event.token().text());
    if (event.has_arm_finished()) {
      Text(event.arm_finished().arm(), event.arm_finished().text_tail());
    }
    if (event.has_summary()) Summary(event.summary());
    return absl::OkStatus();
  }

 private:
  void Text(v1::Arm arm, const std::string& text) {
    (arm == v1::ARM_STEERED ? steered_ : baseline_) += text;
    if (two_arms_) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  void Summary(const v1::GenerationSummary& summary) {
    if (two_arms_) {
      Table table({"arm", "text"});
      table.Add({"baseline", baseline_});
      table.Add({"steered", steered_});
      std::fputs(table.ToString().c_str(), stdout);
    }
    std::printf("\n%s", RenderSummary(summary).c_str());
  }

  const Options& options_;
  bool two_arms_;
  std::string baseline_, steered_;
};

absl::Status RunGenerate(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::GenerateRequest request;
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  for (const std::string& spec : options.edits) {
    ALIGNSAE_ASSIGN_OR_RETURN(v1::Intervention edit, ParseEditSpec(spec));
    ALIGNSAE_ASSIGN_OR_RETURN(*edit.mutable_positions(),
                              MakePositions(options));
    *request.add_interventions() = std::move(edit);
  }
  if (options.both) request.set_arms(v1::ARM_SELECTION_BOTH);
  *request.mutable_generation() = MakeGeneration(options);
  StreamPrinter printer(options);
  absl::Status printed;
  absl::Status status =
      client.Generate(request, [&](const v1::GenerateResponse& event) {
        printed = printer.OnEvent(event);
        return printed.ok();
      });
  return printed.ok() ? status : printed;
}

// Cells come in any order; the table is printed when all are there.
absl::Status RunSweep(const Options& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::SweepAlphaRequest request;
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  // The mode's name as in --edit.
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::Intervention any,
                            ParseEditSpec(absl::StrCat(options.mode, ":any")));
  request.set_mode(any.mode());
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  for (const std::string& target : options.targets) {
    *request.add_targets() = ParseConceptRef(target);
  }
  request.mutable_alphas()->Assign(options.alphas.begin(),
                                   options.alphas.end());
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  *request.mutable_generation() = MakeGeneration(options);
  std::vector<v1::SweepCell> cells;
  absl::Status printed;
  const absl::Status status =
      client.SweepAlpha(request, [&](const v1::SweepAlphaResponse& event) {
        if (options.json) printed = PrintJson(event, /*add_whitespace=*/false);
        if (event.has_cell()) cells.push_back(event.cell());
        return printed.ok();
      });
  if (!printed.ok()) return printed;
  if (status.ok() && !options.json) {
    std::fputs(RenderSweep(std::move(cells)).c_str(), stdout);
  }
  return status;
}

void AddPrompt(CLI::App* command, Options& options, bool many) {
  CLI::Option* prompt =
      command
          ->add_option("prompt", options.prompts,
                       many ? "Questions, put into the model's prompt template"
                            : "Question, put into the model's prompt template")
          ->required();
  if (!many) prompt->expected(1);
  command->add_flag("--raw", options.raw,
                    "The prompt is raw text: no template");
}

void AddIds(CLI::App* command, Options& options) {
  command
      ->add_flag("--ids", options.ids,
                 "The prompt is token ids, separated by commas or blanks")
      ->excludes("--raw");
}

void AddCheckpoint(CLI::App* command, Options& options) {
  command->add_option("--checkpoint", options.checkpoint,
                      "Checkpoint name (default: the first loaded)");
}

void AddSteering(CLI::App* command, Options& options) {
  command->add_option(
      "--positions", options.positions,
      "Prompt positions: last, all, none, list:0,3,-1 or window:2:5 "
      "(default: last)");
  command->add_flag("--generated", options.generated,
                    "Edit every generated token too");
}

void AddGeneration(CLI::App* command, Options& options) {
  command->add_option("-n,--max-new-tokens", options.max_new_tokens,
                      "Tokens to generate at most (default: 32)");
  command->add_option("--temperature", options.temperature,
                      "0 is greedy (default: 0)");
  command->add_option("--top-k", options.sample_top_k,
                      "Sample from this many tokens; 0: all (default: 0)");
  command->add_option("--top-p", options.top_p,
                      "Sample from this probability mass (default: 1)");
  command->add_option("--repetition-penalty", options.repetition_penalty,
                      "Above 1 makes repeats less likely (default: 1)");
  command->add_option("--seed", options.seed,
                      "Seed of the sampling (default: chosen by the server)");
  command->add_option("--stop", options.stop, "Stop before this text")
      ->allow_extra_args(false);
  command->add_option("--logprobs", options.top_logprobs,
                      "Alternatives to report for every token (with --json)");
  command->add_flag("--ignore-eos", options.ignore_eos,
                    "Go on after the end-of-text token");
  command->add_flag("--trace", options.trace,
                    "Read the concepts at every token (with --json)");
}

using Run = absl::Status (*)(const Options&);

CLI::App* AddCommand(CLI::App& app, absl::Status& result,
                     const std::shared_ptr<Options>& options, const char* name,
                     const char* description, Run run) {
  CLI::App* command = app.add_subcommand(name, description);
  command->callback([&result, options, run] { result = run(*options); });
  return command;
}

void AddConnection(CLI::App& app, Options& options) {
  app.add_option("-s,--server", options.server, "Server, host:port")
      ->envname("ALIGNSAE_SERVER")
      ->capture_default_str();
  app.add_option("--timeout", options.timeout_seconds, "Deadline in seconds")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--request-id", options.request_id,
                 "Sent as x-request-id (default: made by the server)");
  app.add_option("--client-id", options.client_id,
                 "Sent as x-client-id: the server takes turns between clients")
      ->envname("ALIGNSAE_CLIENT_ID");
  app.add_option("--tls-ca", options.tls_ca,
                 "PEM file of the CA: connect with TLS");
  app.add_option("--tls-cert", options.tls_cert,
                 "PEM file of the client certificate, for mutual TLS");
  app.add_option("--tls-key", options.tls_key,
                 "PEM file of the client's private key");
  app.add_flag("--json", options.json, "Print the answer as JSON");
}

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kUnavailable:
      return kExitUnavailable;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitBusy;
    case absl::StatusCode::kFailedPrecondition:
      return kExitConfig;
    default:
      return kExitInternal;
  }
}

void AddCommands(CLI::App& app, absl::Status& result) {
  auto options = std::make_shared<Options>();
  app.require_subcommand(1);
  app.fallthrough();
  AddConnection(app, *options);
  AddCommand(app, result, options, "model",
             "What is loaded: model, checkpoints, limits", RunModel);
  CLI::App* concepts = AddCommand(
      app, result, options, "concepts",
      "The concepts of the checkpoints, with calibration", RunConcepts);
  AddCheckpoint(concepts, *options);

  CLI::App* read = AddCommand(app, result, options, "read",
                              "Which concept is the model using?", RunRead);
  AddPrompt(read, *options, /*many=*/true);
  AddIds(read, *options);
  AddCheckpoint(read, *options);
  read->add_option("--position", options->position,
                   "Position to read at; negative from the end (default: -1)");

  CLI::App* inspect =
      AddCommand(app, result, options, "inspect",
                 "All concept slots at every token", RunInspect);
  AddPrompt(inspect, *options, /*many=*/false);
  AddIds(inspect, *options);
  AddCheckpoint(inspect, *options);
  inspect->add_option("--positions", options->positions,
                      "last, all, list:0,3,-1 or window:2:5 (default: all)");
  inspect->add_option("--features", options->top_k,
                      "List this many of all features (needs the whole SAE)");

  CLI::App* swap = AddCommand(
      app, result, options, "swap",
      "Swap one concept for another: baseline and steered answer", RunSwap);
  AddPrompt(swap, *options, /*many=*/false);
  AddIds(swap, *options);
  AddCheckpoint(swap, *options);
  swap->add_option("--to", options->target,
                   "Concept to put in, a name or #slot")
      ->required();
  swap->add_option("--from", options->source,
                   "Concept to take out (default: the top concept)");
  swap->add_option("--alpha", options->alpha,
                   "Strength (default: the checkpoint's recommendation)");
  AddSteering(swap, *options);
  AddGeneration(swap, *options);

  CLI::App* sweep = AddCommand(
      app, result, options, "sweep",
      "Answers with each target at each strength: a dose-response curve",
      RunSweep);
  AddPrompt(sweep, *options, /*many=*/false);
  AddIds(sweep, *options);
  AddCheckpoint(sweep, *options);
  sweep
      ->add_option("--to", options->targets,
                   "Concepts, names or #slots, comma-separated")
      ->delimiter(',')
      ->required();
  sweep->add_option("--alphas", options->alphas, "Strengths, comma-separated")
      ->delimiter(',')
      ->required();
  sweep
      ->add_option("--mode", options->mode, "What each cell does, as in --edit")
      ->capture_default_str();
  sweep->add_option("--from", options->source,
                    "Concept to take out (default: the top concept)");
  AddSteering(sweep, *options);
  AddGeneration(sweep, *options);

  CLI::App* generate = AddCommand(
      app, result, options, "generate",
      "Stream an answer, with or without interventions", RunGenerate);
  AddPrompt(generate, *options, /*many=*/false);
  AddIds(generate, *options);
  AddCheckpoint(generate, *options);
  generate
      ->add_option("--edit", options->edits,
                   "Intervention MODE:[SOURCE>]TARGET[@ALPHA][raw], e.g. "
                   "add:employer@2 or swap:birth_city>employer; repeatable")
      ->allow_extra_args(false);
  generate->add_flag("--both", options->both, "Run the baseline too");
  AddSteering(generate, *options);
  AddGeneration(generate, *options);

  CLI::App* tokenize = AddCommand(app, result, options, "tokenize",
                                  "The tokens of a prompt", RunTokenize);
  AddPrompt(tokenize, *options, /*many=*/false);
}

}  // namespace alignsae
