#include "client/cli/command_flags.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/edit_spec.h"
#include "model/base/quote.h"
#include "model/terminal/command_line.h"

namespace alignsae {

void AddConnection(CLI::App& app, CliOptions& options) {
  app.add_option(
         "-s,--server", options.server,
         "Server, host:port; several, separated by commas, are used in turn")
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
  AddCredentialFlags(app, options.credentials);
  app.add_option("--model", options.model,
                 "Model by its name (default: the server's own)");
  app.add_flag("--json", options.json, "Print the answer as JSON");
}

void AddPrompt(CLI::App* command, CliOptions& options, bool many) {
  CLI::Option* prompt = command->add_option(
      "prompt", options.prompts,
      many ? "Questions, put into the model's prompt template; - is standard "
             "input, whole"
           : "Question, put into the model's prompt template; - is standard "
             "input, whole");
  prompt->type_name("TEXT");
  if (!many) prompt->expected(0, 1);
  command
      ->add_option("--file", options.file,
                   "Ask for each line of this file instead, one answer each; - "
                   "is standard input")
      ->type_name(kFileType);
  command->add_flag("--raw", options.raw,
                    "The prompt is raw text: no template");
}

void AddIds(CLI::App* command, CliOptions& options) {
  command
      ->add_flag("--ids", options.ids,
                 "The prompt is token ids, separated by commas or blanks")
      ->excludes("--raw");
}

void AddCheckpoint(CLI::App* command, CliOptions& options) {
  command->add_option("--checkpoint", options.checkpoint,
                      "Checkpoint name (default: the first loaded)");
}

namespace {

constexpr char kConditionForm[] = "CONCEPT, !CONCEPT or CONCEPT>VALUE";

CLI::Option* AddCondition(CLI::App* command, const char* flag,
                          std::string& spec, const char* what) {
  return command
      ->add_option(flag, spec,
                   absl::StrCat(what,
                                ": CONCEPT is bound, !CONCEPT is not, or "
                                "CONCEPT>VALUE"))
      ->check([](const std::string& given) -> std::string {
        if (ParseConditionSpec(given).has_value()) return "";
        return absl::StrCat("must be ", kConditionForm, ", got ",
                            Quoted(given));
      });
}

}  // namespace

void AddSteering(CLI::App* command, CliOptions& options) {
  command->add_option("--positions", options.positions,
                      "Prompt positions: last, all, none, list:0,3,-1, "
                      "window:2:5 or text:NAME, "
                      "the tokens of a text (default: last)");
  command->add_flag("--generated", options.generated,
                    "Edit every generated token too");
  AddCondition(command, "--when", options.when,
               "Edit only positions whose reading says so");
}

void AddGuard(CLI::App* command, CliOptions& options) {
  command->add_option("--max-norm-ratio", options.max_norm_ratio,
                      "End a steered answer where a change is more than this "
                      "share of the residual's norm");
  command->add_option("--max-off-target", options.max_off_target,
                      "End a steered answer where another concept's slot "
                      "changes by more than so many active means");
  command->add_option("--max-kl", options.max_kl,
                      "End a steered answer before a token whose distribution "
                      "is further than so many nats from the baseline's");
}

void AddSideEffects(CLI::App* command, CliOptions& options) {
  AddGuard(command, options);
  command->add_flag("--side-effects", options.side_effects,
                    "Tell what else the edits change: other slots, KL");
}

void AddGeneration(CLI::App* command, CliOptions& options) {
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
  command->add_option("--frequency-penalty", options.frequency_penalty,
                      "Taken from a token's logit for each time that it is in "
                      "the answer (default: 0)");
  command->add_option("--presence-penalty", options.presence_penalty,
                      "Taken from the logits of tokens that are in the answer "
                      "(default: 0)");
  command
      ->add_option("--logit-bias", options.logit_bias,
                   "ID=VALUE: added to the logit of this token")
      ->allow_extra_args(false)
      ->check([](const std::string& spec) -> std::string {
        if (ParseTokenBias(spec).has_value()) return "";
        return absl::StrCat("must be ID=VALUE, got ", Quoted(spec));
      });
  command->add_option("--min-new-tokens", options.min_new_tokens,
                      "No end of text before so many tokens (default: 0)");
  command->add_option("--seed", options.seed,
                      "Seed of the sampling (default: chosen by the server)");
  command->add_option("--stop", options.stop, "Stop before this text")
      ->allow_extra_args(false);
  command->add_option("--logprobs", options.top_logprobs,
                      "Alternatives to report for every token (with --json)");
  command->add_option("--prompt-logprobs", options.prompt_logprobs,
                      "Logprobs of the prompt's tokens too, with so many "
                      "alternatives (with --json)");
  command->add_flag("--ignore-eos", options.ignore_eos,
                    "Go on after the end-of-text token");
  command->add_flag("--trace", options.trace,
                    "Read the concepts at every token (with --json)");
  AddCondition(command, "--abort-when", options.abort_when,
               "End the answer with the token whose reading says so");
}

void AddSave(CLI::App* command, CliOptions& options) {
  command
      ->add_option("--save", options.save,
                   "Keep request and answer in this file, for replay")
      ->type_name(kFileType)
      ->excludes("--file");
}

}  // namespace alignsae
