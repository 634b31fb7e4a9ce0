// What the command line of `alignsae` says, and the parts of requests that are
// made from it.
//
// Thread-safety: value type and pure functions.
// Errors: INVALID_ARGUMENT names the flag or the argument; Connect: NOT_FOUND
// and others of reading a PEM file, and the Client's.

#ifndef ALIGNSAE_CLIENT_CLI_OPTIONS_H_
#define ALIGNSAE_CLIENT_CLI_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/common.pb.h"
#include "alignsae/v1/generation.pb.h"
#include "alignsae/v1/intervention.pb.h"
#include "client/lib/client.h"
#include "client/lib/credential_flags.h"

namespace alignsae {

// One set for all subcommands, each uses its part.
struct CliOptions {
  // Connection.
  std::string server = "127.0.0.1:50051";
  double timeout_seconds = 30;
  std::string request_id;
  std::string client_id;
  std::string model;
  CredentialFlags credentials;
  bool json = false;
  // Operators.
  std::string operator_server = "127.0.0.1:50052";
  std::string bundle, sae, name;
  std::string shadow, canary;
  double canary_fraction = 0;
  bool names = false;  // Of `concepts`: nothing but their names.
  // Prompt.
  std::vector<std::string> prompts;
  std::string file;  // Of prompts, one a line; "-": standard input.
  bool raw = false;
  bool ids = false;
  std::string checkpoint;
  // Reading.
  std::optional<int> position;
  std::string at_text;  // `read`: instead of the position.
  std::string span;     // `read`: last, mean or nothing.
  std::optional<int> top_k;
  // Watching.
  int64_t count = 0;     // Messages; 0: no end.
  std::string labelled;  // File of labelled prompts; empty: the bundle's.
  std::optional<int> max_swaps;
  // Steering.
  std::string source, target;
  std::optional<double> alpha;
  std::vector<std::string> targets;
  std::vector<double> alphas;
  std::string mode = "swap";
  std::vector<std::string> expected;  // Each is one for ParseExpected.
  std::optional<std::string> goal_answer;
  std::optional<int> goal_token;
  std::optional<double> min_alpha, max_alpha, precision;
  std::optional<int> max_tries;
  std::vector<std::string> edits;
  std::vector<std::string> edits_json;
  std::string positions;
  bool generated = false;
  bool both = false;
  bool side_effects = false;
  std::optional<double> max_norm_ratio, max_off_target, max_kl;
  bool goal_on_top = false;
  std::string when,
      abort_when;     // Each one for ParseConditionSpec; empty: none.
  std::string save;   // Where an answer is kept for `replay`; empty: nowhere.
  std::string saved;  // What `replay` is given.
  // Generation.
  std::optional<int> max_new_tokens;
  std::optional<double> temperature, top_p, repetition_penalty;
  std::optional<double> frequency_penalty, presence_penalty;
  std::vector<std::string> logit_bias;  // Each is one for ParseTokenBias.
  std::optional<int> sample_top_k, min_new_tokens, prompt_logprobs;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  int top_logprobs = 0;
  bool ignore_eos = false;
  bool trace = false;
};

// The prompt `text` as a question, raw text or ids, as the flags say.
absl::StatusOr<v1::Prompt> MakePrompt(const CliOptions& options,
                                      const std::string& text);
// "50256=-100": a token and what is added to its logit. nullopt: it is none.
std::optional<std::pair<int32_t, double>> ParseTokenBias(
    absl::string_view spec);
// "employer=Apple": a concept and the answer expected of it. nullopt: it is
// none.
std::optional<std::pair<std::string, std::string>> ParseExpected(
    absl::string_view spec);
// Only what was given is set: the server has the defaults.
v1::GenerationConfig MakeGeneration(const CliOptions& options);
// nullopt: no limit was given.
std::optional<v1::SteeringGuard> MakeGuard(const CliOptions& options);
absl::StatusOr<v1::PositionSelection> MakePositions(const CliOptions& options);
absl::StatusOr<Client> Connect(const CliOptions& options);
// To the port for operators.
absl::StatusOr<Client> ConnectAsOperator(CliOptions options);

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_OPTIONS_H_
