// ServerConfig: every setting of alignsae-server, from flags, environment and a
// configuration file.
//
// Each setting has one name: --kv-slots, ALIGNSAE_KV_SLOTS and `kv-slots = 64`
// in the file (TOML). A flag wins over the environment, the environment over
// the file, the file over the default. An unknown flag or key is an error;
// unknown variables are not, because Kubernetes sets ALIGNSAE_SERVICE_HOST and
// the like.
//
// Thread-safety: value types; free functions.
// Errors: INVALID_ARGUMENT, one sentence that names the setting:
// "--kv-slots: must be in [1, 1024], got 0".
//
// Example:
//   absl::StatusOr<ConfigOutcome> outcome = ParseServerConfig(args, &GetEnv);
//   if (outcome.ok() && outcome->text_to_print.empty()) Run(outcome->config);

#ifndef ALIGNSAE_SERVER_CONFIG_SERVER_CONFIG_H_
#define ALIGNSAE_SERVER_CONFIG_SERVER_CONFIG_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/config/endpoint.h"

namespace alignsae {

// Exit status of every start-up failure (EX_CONFIG of sysexits.h).
inline constexpr int kExitStartUpFailure = 78;

// What one request may ask for. Told to clients by GetModel.
struct Limits {
  int max_prompt_bytes = 64 << 10;
  int max_prompts_per_batch = 64;
  int max_new_tokens = 1024;
  int max_stop_sequences = 16;
  int max_stop_sequence_bytes = 128;
  int max_top_logprobs = 20;
  int max_logit_biases = 1024;
  int max_interventions = 16;
  int max_sweep_cells = 128;
  int max_top_features = 1000;
  int max_receive_message_bytes = 1 << 20;
  int max_send_message_bytes = 4 << 20;
  double max_deadline_seconds = 60;
};

// TLS of the gRPC port; off when `certificate` is empty.
struct TlsFiles {
  std::string certificate;  // PEM, leaf first.
  std::string key;          // PEM.
  std::string client_ca;    // PEM. Not empty: clients must show a certificate.
};

// Who may do what, and what is told of it.
struct AccessFiles {
  std::string policy;     // Empty: whoever calls may do everything.
  std::string tokens;     // Of the policy's principals, by their hashes.
  std::string audit_log;  // Empty: none is kept.
};

// Connections of the gRPC port.
struct ConnectionConfig {
  int max_streams = 128;  // Concurrent calls of one connection.
  double keepalive_seconds = 30;
  double keepalive_timeout_seconds = 10;
  double max_age_seconds = 1800;  // Then the client must connect anew.
  double max_age_grace_seconds = 60;
  double max_idle_seconds = 300;
  double handshake_timeout_seconds = 10;
  int memory_mib = 512;  // For gRPC's buffers.
};

// The front door: Connect and OpenAI's completions over HTTP/1.1. Off when
// `on` is false.
struct HttpConfig {
  bool on = false;
  Endpoint listen;
  // Names by which it is called, beside loopback's and the one of `listen`;
  // "*": any.
  std::vector<std::string> allowed_hosts;
  // Pages that may call: "https://example.org"; "*": any.
  std::vector<std::string> allowed_origins;
  int max_connections = 256;
  double request_seconds = 10;  // For a request to be whole.
};

// What operators may do, and by which port; off when `on` is false.
struct OperatorConfig {
  bool on = false;
  Endpoint listen;
  std::string bundles_directory;    // Empty: they can name no bundle.
  std::vector<std::string> models;  // Served beside the default, by name.
  bool watch = false;               // Reload what is replaced on disk.
  std::string default_checkpoint;   // Empty: the bundle's first.
  int memory_budget_mib = 0;        // Of the process, for loads; 0: none.
  // Of the default model, as in Rollout of operator_service.proto.
  std::string shadow, canary;
  double canary_fraction = 0;
};

// So many whole contexts the KV cache holds, unless a setting says otherwise.
inline constexpr int kKvContexts = 16;

struct ServerConfig {
  // A bundle directory, or a Hugging Face directory of a family with `saes`
  // beside it.
  std::string model;
  std::vector<std::string> saes;
  bool whole_sae = false;
  // Share of its stored labelled prompts that a checkpoint must read right to
  // be served, in [0, 1]; 0: nothing is asked.
  double require_binding = 0;
  std::string device = "cpu";
  // Number type of the model's weights: f32, bf16 or int8. A machine that
  // cannot run it runs f32 and says so.
  std::string weight_type = "int8";
  // "on": a type that misleads (measured once against f32) gives way to a safer
  // one. "off": the type that is asked for runs.
  std::string weight_type_check = "on";
  // "on": which kernel multiplies how many rows is measured, once for each
  // processor and shape. "off": it is what is built in, the same at every
  // start.
  std::string kernel_tuning = "on";
  // Where what was measured is kept; empty ("off"): nowhere. Unless it is
  // given: of the user ($XDG_CACHE_HOME or $HOME/.cache), if there is one.
  std::string cache_dir;
  std::string prepared_cache = "on";  // "on" or "off".
  int threads = 0;  // 0: every processor that the process may use.

  Endpoint listen{"127.0.0.1", 50051};
  Endpoint admin_listen{"127.0.0.1", 9464};
  std::string port_file;  // Empty: none.
  TlsFiles tls;
  AccessFiles access;
  bool reflection = false;  // Unless it is given: whether `listen` is loopback.
  ConnectionConfig connections;
  HttpConfig http;
  OperatorConfig operators;

  Limits limits;
  // Sequences that run at once. Unless it is given: 16 on cuda, where the KV
  // cache takes the memory of whole contexts.
  int kv_slots = 64;
  // Tokens (prompt + max_new_tokens) of them, at least the model's context; 0:
  // of 16 whole contexts on the CPU, else of all slots.
  int64_t kv_tokens = 0;
  int max_queued_sequences = 256;      // Sequences that wait.
  int64_t max_queued_tokens = 262144;  // Prompt + max_new_tokens of them.
  int max_prompt_tokens_per_step = 512;
  // Beginnings of prompts that free KV slots keep; 0: every prompt is computed.
  int64_t prefix_cache_tokens = 16384;
  int max_watchers = 32;  // WatchSlots at once.
  // Requests that wait and answers that are made and not yet taken, in all.
  int call_memory_mib = 256;

  double lame_duck_seconds = 5;
  double drain_seconds = 20;
  std::string log_level = "info";
};

struct ConfigOutcome {
  ServerConfig config;
  // --help or --version was asked: print this and exit 0.
  std::string text_to_print;
};

using GetEnvFn = std::function<std::optional<std::string>(const std::string&)>;
std::optional<std::string> GetEnv(const std::string& name);

// `args` without the program's name.
absl::StatusOr<ConfigOutcome> ParseServerConfig(
    const std::vector<std::string>& args, const GetEnvFn& get_env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_CONFIG_SERVER_CONFIG_H_
