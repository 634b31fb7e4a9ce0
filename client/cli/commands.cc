#include "client/cli/commands.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/command_flags.h"
#include "client/cli/options.h"
#include "client/cli/own_program.h"
#include "client/cli/run.h"
#include "model/base/quote.h"
#include "model/terminal/command_line.h"

namespace alignsae {
namespace {

// Where subcommands are added, and where what they do leaves its status.
struct Commands {
  CLI::App& app;
  absl::Status& result;
  std::shared_ptr<CliOptions> options;  // One for all subcommands.

  CLI::App* Add(const char* name, const char* description,
                absl::Status (*run)(const CliOptions&)) const {
    CLI::App* command = app.add_subcommand(name, description);
    command->callback(
        [&status = result, parsed = options, run] { status = run(*parsed); });
    return command;
  }
};

void AddModelAndConcepts(const Commands& group) {
  CliOptions& options = *group.options;
  group.Add("model", "What is loaded: model, checkpoints, limits", RunModel);
  CLI::App* concepts =
      group.Add("concepts", "The concepts of the checkpoints, with calibration",
                RunConcepts);
  AddCheckpoint(concepts, options);
  concepts->add_flag("--names", options.names,
                     "Only their names, one a line (the completion of shells "
                     "asks for them)");
}

void AddRead(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* read =
      group.Add("read", "Which concept is the model using?", RunRead);
  AddPrompt(read, options, /*many=*/true);
  AddIds(read, options);
  AddCheckpoint(read, options);
  read->add_option("--position", options.position,
                   "Position to read at; negative from the end (default: -1)");
  read->add_option("--at", options.at_text,
                   "Read at this text, such as a name, which stands once in "
                   "each prompt, instead of --position")
      ->excludes("--position");
  read->add_option("--span", options.span,
                   "With --at: its last token, or the mean of all of them "
                   "(default: as the checkpoint was trained)")
      ->check(CLI::IsMember({"last", "mean"}))
      ->needs("--at");
}

void AddInspect(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* inspect =
      group.Add("inspect", "All concept slots at every token", RunInspect);
  AddPrompt(inspect, options, /*many=*/false);
  AddIds(inspect, options);
  AddCheckpoint(inspect, options);
  inspect->add_option("--positions", options.positions,
                      "last, all, list:0,3,-1, window:2:5 or text:NAME "
                      "(default: all)");
  inspect->add_option("--features", options.top_k,
                      "List this many of all features (needs the whole SAE)");
}

void AddExplain(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* explain = group.Add(
      "explain", "Which tokens a slot makes more and less likely by itself",
      RunExplain);
  explain->add_option("concept", options.target, "A concept, or #slot")
      ->type_name(kConceptType)
      ->required();
  AddCheckpoint(explain, options);
  explain->add_option("--top", options.top_k,
                      "Tokens of each end (default: 10)");
}

void AddSwap(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* swap = group.Add(
      "swap", "Swap one concept for another: baseline and steered answer",
      RunSwap);
  AddPrompt(swap, options, /*many=*/false);
  AddIds(swap, options);
  AddCheckpoint(swap, options);
  swap->add_option("--to", options.target, "Concept to put in, a name or #slot")
      ->type_name(kConceptType)
      ->required();
  swap->add_option("--from", options.source,
                   "Concept to take out (default: the top concept)")
      ->type_name(kConceptType);
  swap->add_option("--alpha", options.alpha,
                   "Strength (default: the checkpoint's recommendation)");
  AddSteering(swap, options);
  AddSideEffects(swap, options);
  AddGeneration(swap, options);
  AddSave(swap, options);
}

void AddSweep(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* sweep = group.Add(
      "sweep",
      "Answers with each target at each strength: a dose-response curve",
      RunSweep);
  AddPrompt(sweep, options, /*many=*/false);
  AddIds(sweep, options);
  AddCheckpoint(sweep, options);
  sweep
      ->add_option("--to", options.targets,
                   "Concepts, names or #slots, comma-separated")
      ->type_name(kConceptType)
      ->delimiter(',')
      ->required();
  sweep->add_option("--alphas", options.alphas, "Strengths, comma-separated")
      ->delimiter(',')
      ->required();
  sweep->add_option("--mode", options.mode, "What each cell does, as in --edit")
      ->capture_default_str();
  sweep
      ->add_option("--from", options.source,
                   "Concept to take out (default: the top concept)")
      ->type_name(kConceptType);
  AddSteering(sweep, options);
  AddGeneration(sweep, options);
  AddSave(sweep, options);
}

void AddMatrix(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* matrix = group.Add(
      "matrix", "Swap every concept for every other one: all ordered pairs",
      RunMatrix);
  AddPrompt(matrix, options, /*many=*/false);
  AddIds(matrix, options);
  AddCheckpoint(matrix, options);
  matrix
      ->add_option("--concepts", options.targets,
                   "Concepts, names or #slots, comma-separated (default: all)")
      ->type_name(kConceptType)
      ->delimiter(',');
  matrix->add_option("--alpha", options.alpha,
                     "Strength (default: the checkpoint's recommendation)");
  matrix
      ->add_option("--expect", options.expected,
                   "CONCEPT=ANSWER: what a swap to this concept should say; "
                   "repeatable")
      ->allow_extra_args(false)
      ->check([](const std::string& spec) -> std::string {
        if (ParseExpected(spec).has_value()) return "";
        return absl::StrCat("must be CONCEPT=ANSWER, got ", Quoted(spec));
      });
  AddSteering(matrix, options);
  AddGeneration(matrix, options);
}

void AddFindAlpha(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* find = group.Add(
      "find-alpha",
      "The smallest strength that gives an answer, and the largest that does",
      RunFindAlpha);
  AddPrompt(find, options, /*many=*/false);
  AddIds(find, options);
  AddCheckpoint(find, options);
  find->add_option("--to", options.target, "Concept to put in, a name or #slot")
      ->type_name(kConceptType)
      ->required();
  find->add_option("--from", options.source,
                   "Concept to take out (default: the top concept)")
      ->type_name(kConceptType);
  find->add_option("--mode", options.mode, "What is done, as in --edit")
      ->capture_default_str();
  CLI::Option* answer = find->add_option("--answer", options.goal_answer,
                                         "The goal: the whole answer is this");
  CLI::Option* token =
      find->add_option("--first-token", options.goal_token,
                       "The goal: the answer begins with the token of this id")
          ->excludes(answer);
  find->add_flag("--on-top", options.goal_on_top,
                 "The goal: the concept has the largest value after the edit")
      ->excludes(answer)
      ->excludes(token);
  find->add_option("--min-alpha", options.min_alpha,
                   "Smallest strength to try (default: 0.0625)");
  find->add_option("--max-alpha", options.max_alpha,
                   "Largest strength to try (default: 16)");
  find->add_option("--precision", options.precision,
                   "How many times away the next strength beyond an end may be "
                   "(default: 1.05)");
  find->add_option("--max-tries", options.max_tries,
                   "Strengths to try at most (default: 32)");
  AddSteering(find, options);
  AddGuard(find, options);
  AddGeneration(find, options);
}

void AddGenerate(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* generate =
      group.Add("generate", "Stream an answer, with or without interventions",
                RunGenerate);
  AddPrompt(generate, options, /*many=*/false);
  AddIds(generate, options);
  AddCheckpoint(generate, options);
  generate
      ->add_option("--edit", options.edits,
                   "Intervention MODE:[SOURCE>]TARGET[@ALPHA][raw], e.g. "
                   "add:employer@2 or swap:birth_city>employer; repeatable")
      ->allow_extra_args(false);
  generate
      ->add_option("--edit-json", options.edits_json,
                   "Intervention as JSON, or @FILE with it: a vector of your "
                   "own, positions of its own; behind those of --edit; "
                   "repeatable")
      ->allow_extra_args(false);
  generate->add_flag("--both", options.both, "Run the baseline too");
  AddSteering(generate, options);
  AddSideEffects(generate, options);
  AddGeneration(generate, options);
  AddSave(generate, options);
}

void AddReplay(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* replay = group.Add(
      "replay", "Compute a saved answer again, and say whether it is the same",
      RunReplay);
  replay
      ->add_option("saved", options.saved,
                   "File that --save of swap, generate or sweep has written")
      ->type_name(kFileType)
      ->required();
}

void AddWatch(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* watch = group.Add(
      "watch", "What the slots do on everybody's prompts, once a second",
      RunWatch);
  AddCheckpoint(watch, options);
  watch
      ->add_option("--count", options.count,
                   "End after so many seconds; 0: go on until interrupted")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
}

void AddValidate(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* validate = group.Add(
      "validate",
      "How well a checkpoint reads, swaps and keeps silent on labelled prompts",
      RunValidate);
  validate
      ->add_option(
          "prompts", options.labelled,
          "Labelled prompts, JSONL as the trainer takes them (default: "
          "those that the bundle stores)")
      ->type_name(kFileType);
  AddCheckpoint(validate, options);
  validate->add_option("--max-swaps", options.max_swaps,
                       "Swaps to try, spread over all targets (default: 256)");
}

void AddTokenize(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* tokenize =
      group.Add("tokenize", "The tokens of a prompt", RunTokenize);
  AddPrompt(tokenize, options, /*many=*/false);
}

void AddOperator(CLI::App* command, CliOptions& options) {
  command
      ->add_option("--operator", options.operator_server,
                   "Port for operators of the server, host:port")
      ->envname("ALIGNSAE_OPERATOR")
      ->capture_default_str();
}

void AddRollout(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* rollout = group.Add(
      "rollout",
      "Compare another checkpoint with the default one, or have it answer a "
      "part of the requests; without a flag, end both",
      RunRollout);
  AddOperator(rollout, options);
  rollout->add_option("--shadow", options.shadow,
                      "Checkpoint that is compared, on every prompt");
  rollout->add_option("--canary", options.canary,
                      "Checkpoint that answers requests that name none");
  rollout->add_option("--fraction", options.canary_fraction,
                      "Which part of them, in [0, 1]");
}

void AddOperators(const Commands& group) {
  CliOptions& options = *group.options;
  CLI::App* list = group.Add("checkpoints",
                             "Generations of the models with their states and "
                             "checkpoints",
                             RunCheckpoints);
  AddOperator(list, options);
  CLI::App* load = group.Add(
      "load", "Put a checkpoint beside the others, or in one's place", RunLoad);
  AddOperator(load, options);
  load->add_option("bundle", options.bundle,
                   "Bundle or checkpoint, as called in --bundles-dir")
      ->required();
  load->add_option("--sae", options.sae,
                   "Checkpoint of the bundle (default: the only one)");
  load->add_option("--name", options.name,
                   "Name to serve it under (default: its own)");
  CLI::App* unload = group.Add("unload", "Take a checkpoint away", RunUnload);
  AddOperator(unload, options);
  unload->add_option("checkpoint", options.checkpoint, "Name as in requests")
      ->required();
  CLI::App* reload = group.Add(
      "reload", "Load a model anew, from its bundle or another one", RunReload);
  AddOperator(reload, options);
  reload->add_option("bundle", options.bundle,
                     "Bundle, as called in --bundles-dir (default: the same)");
  CLI::App* unload_model = group.Add(
      "unload-model", "Take a model away that is served beside the default one",
      RunUnloadModel);
  AddOperator(unload_model, options);
  unload_model->add_option("name", options.name, "Name as in --model")
      ->required();
  AddRollout(group);
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
    case absl::StatusCode::kDataLoss:
      return kExitOutput;
    case absl::StatusCode::kFailedPrecondition:
      return kExitConfig;
    case absl::StatusCode::kAborted:
      return kExitDiffers;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitNoPermission;
    default:
      return kExitInternal;
  }
}

void AddCommands(CLI::App& app, absl::Status& result) {
  const Commands group{app, result, std::make_shared<CliOptions>()};
  app.require_subcommand(1);
  app.fallthrough();
  AddConnection(app, *group.options);
  AddModelAndConcepts(group);
  AddRead(group);
  AddInspect(group);
  AddExplain(group);
  AddSwap(group);
  AddSweep(group);
  AddMatrix(group);
  AddFindAlpha(group);
  AddGenerate(group);
  AddReplay(group);
  AddWatch(group);
  AddValidate(group);
  AddTokenize(group);
  AddOperators(group);
  AddVectors(app, result);
}

}  // namespace alignsae
