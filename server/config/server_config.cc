#include "server/config/server_config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"
#include "model/terminal/command_line.h"
#include "server/config/setting_relations.h"
#include "server/config/validators.h"

namespace alignsae {
namespace {

constexpr char kEnvPrefix[] = "ALIGNSAE_";
constexpr char kExitCodes[] =
    "Exit codes: 0 drained after SIGTERM or SIGINT; 1 ended by a second one, "
    "or because it could not end in time; 74 what was to be printed did not "
    "arrive; 78 it could not start, and the sentence says why.";

void AddModelFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--model", config.model,
                 "Bundle directory, or a Hugging Face GPT-2 or GPT-NeoX "
                 "directory")
      ->check(Directory());
  app.add_option("--sae", config.saes,
                 "SAE directories beside a plain GPT-2, comma-separated")
      ->delimiter(',')
      ->check(Directory());
  app.add_option(
         "--require-binding", config.require_binding,
         "Share of the labelled prompts in its bundle that a checkpoint "
         "must read right before it is served, in [0, 1]; 0: none")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_flag("--whole-sae", config.whole_sae,
               "Load free features too: InspectSlots top_k, REPLACE");
  app.add_option("--device", config.device, "Where the model runs")
      ->check(OneOf({"cpu", "cuda"}));
  app.add_option("--weight-type", config.weight_type,
                 "Number type of the model's weights")
      ->check(OneOf({"f32", "bf16", "int8"}));
  app.add_option("--weight-type-check", config.weight_type_check,
                 "on: a number type that misleads, measured once against f32, "
                 "gives way to a safer one; off: it runs all the same")
      ->check(OneOf({"on", "off"}));
  app.add_option("--kernel-tuning", config.kernel_tuning,
                 "on: the kernels that are measured to be the fastest here; "
                 "off: those built in, the same at every start")
      ->check(OneOf({"on", "off"}));
  app.add_option("--cache-dir", config.cache_dir,
                 "Where what is measured once is kept; off: nowhere; default: "
                 "alignsae in XDG_CACHE_HOME or in .cache of HOME");
  app.add_option("--prepared-cache", config.prepared_cache,
                 "on: prepared weights are kept in --cache-dir; off: made anew")
      ->check(OneOf({"on", "off"}));
  app.add_option(
         "--threads", config.threads,
         "Threads of the model; 0: one for each processor that it may use")
      ->check(IntIn(0, 1024));
}

// Addresses as they are given.
struct Addresses {
  std::string listen;
  std::string admin;
  std::string http;       // Empty: no front door.
  std::string operators;  // Empty: no port for operators.
};

void AddHttpFlags(CLI::App& app, HttpConfig& http, std::string& listen) {
  app.add_option("--http-listen", listen,
                 "HTTP address of the front door (Connect, /v1/completions); "
                 "off by default, 8080 by custom")
      ->check(IsEndpoint());
  app.add_option("--http-allowed-hosts", http.allowed_hosts,
                 "Names by which the front door is called, beside loopback's "
                 "and its own address, comma-separated; *: any")
      ->delimiter(',')
      ->check(IsHostName());
  app.add_option("--http-allowed-origins", http.allowed_origins,
                 "Origins of pages that may call the front door, "
                 "comma-separated; *: any")
      ->delimiter(',')
      ->check(IsOrigin());
  app.add_option("--http-max-connections", http.max_connections,
                 "Connections of the front door at once; a stream holds one")
      ->check(IntIn(1, 4096));
  app.add_option("--http-request-seconds", http.request_seconds,
                 "A request to the front door must be whole within this")
      ->check(SecondsIn(0.1, 300));
}

void AddOperatorFlags(CLI::App& app, OperatorConfig& operators,
                      std::string& listen) {
  app.add_option("--operator-listen", listen,
                 "gRPC address of OperatorService, which changes what is "
                 "served: loopback, or with --tls-client-ca; off by default")
      ->check(IsEndpoint());
  app.add_option("--bundles-dir", operators.bundles_directory,
                 "Where bundles and checkpoints lie that operators may name")
      ->check(Directory());
  app.add_option("--models", operators.models,
                 "Bundles of --bundles-dir that are served beside the model, "
                 "by their names, comma-separated")
      ->delimiter(',');
  app.add_flag("--watch", operators.watch,
               "Reload a model when its directory, or the link to it, is "
               "replaced by another version");
  app.add_option("--default-checkpoint", operators.default_checkpoint,
                 "Checkpoint of requests that name none; empty: the bundle's "
                 "first");
  app.add_option("--shadow", operators.shadow,
                 "Checkpoint whose readings are compared with the default "
                 "one's in alignsae_shadow_disagreement_total");
  app.add_option("--canary", operators.canary,
                 "Checkpoint that answers a part of the requests that name "
                 "none");
  app.add_option("--canary-fraction", operators.canary_fraction,
                 "Which part of them, in [0, 1], chosen by the hash of the "
                 "request's id")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--memory-budget-mib", operators.memory_budget_mib,
                 "A load that would take the process beyond this is refused; "
                 "0: beyond what the machine or the control group has")
      ->check(IntIn(0, 1 << 24));
}

void AddNetworkFlags(CLI::App& app, ServerConfig& config,
                     Addresses& addresses) {
  app.add_option("--listen", addresses.listen,
                 "gRPC address; port 0 takes a free one")
      ->check(IsEndpoint());
  app.add_option("--admin-listen", addresses.admin,
                 "HTTP address of /metrics, /livez and /readyz")
      ->check(IsEndpoint());
  app.add_option("--port-file", config.port_file,
                 "Write the ports taken here: {\"grpc\":N,\"admin\":N}, with "
                 "\"http\" and \"operator\" where those are on");
  app.add_option("--tls-cert", config.tls.certificate,
                 "PEM certificate chain: the gRPC port speaks TLS")
      ->check(File());
  app.add_option("--tls-key", config.tls.key, "PEM key of --tls-cert")
      ->check(File());
  app.add_option("--tls-client-ca", config.tls.client_ca,
                 "PEM CA: clients must show a certificate of it")
      ->check(File());
  app.add_flag("--reflection", config.reflection,
               "Offer gRPC server reflection (default: where --listen is "
               "loopback); --reflection=false: never");
  ConnectionConfig& c = config.connections;
  app.add_option("--max-streams-per-connection", c.max_streams,
                 "Concurrent calls of one connection")
      ->check(IntIn(1, 100000));
  app.add_option("--keepalive-seconds", c.keepalive_seconds,
                 "Ping an idle connection this often")
      ->check(SecondsIn(1, 86400));
  app.add_option("--keepalive-timeout-seconds", c.keepalive_timeout_seconds,
                 "Close a connection whose ping stays unanswered so long")
      ->check(SecondsIn(1, 3600));
  app.add_option("--max-connection-age-seconds", c.max_age_seconds,
                 "Ask clients to connect anew after this")
      ->check(SecondsIn(1, 864000));
  app.add_option("--max-connection-age-grace-seconds", c.max_age_grace_seconds,
                 "Running calls may go on so long after that")
      ->check(SecondsIn(0, 3600));
  app.add_option("--max-connection-idle-seconds", c.max_idle_seconds,
                 "Close a connection without calls after this")
      ->check(SecondsIn(1, 864000));
  app.add_option("--handshake-timeout-seconds", c.handshake_timeout_seconds,
                 "Close a connection that is not set up after this")
      ->check(SecondsIn(0.1, 300));
  app.add_option("--grpc-memory-mib", c.memory_mib, "Memory of gRPC's buffers")
      ->check(IntIn(16, 1 << 20));
}

void AddAccessFlags(CLI::App& app, AccessFiles& access) {
  app.add_option("--policy", access.policy,
                 "JSON file of who may do what; read again when it changes")
      ->check(File());
  app.add_option("--tokens", access.tokens,
                 "Bearer tokens of the policy's principals, a line NAME SHA256 "
                 "each; read again when it changes")
      ->check(File());
  app.add_option("--audit-log", access.audit_log,
                 "File to which a line is appended for each call that steers");
}

void AddLimitFlags(CLI::App& app, ServerConfig& config) {
  Limits& limits = config.limits;
  app.add_option("--max-prompt-bytes", limits.max_prompt_bytes,
                 "Bytes of a prompt's text")
      ->check(IntIn(1, 16 << 20));
  app.add_option("--max-prompts-per-batch", limits.max_prompts_per_batch,
                 "Prompts of one ReadConcepts; less where fewer may wait")
      ->check(IntIn(1, 4096));
  app.add_option("--max-new-tokens", limits.max_new_tokens,
                 "Tokens that a request may generate")
      ->check(IntIn(1, 1 << 20));
  app.add_option(
         "--max-sweep-cells", limits.max_sweep_cells,
         "Targets times alphas of one SweepAlpha; less where fewer may wait")
      ->check(IntIn(1, 4096));
  app.add_option("--max-receive-bytes", limits.max_receive_message_bytes,
                 "Bytes of a request message")
      ->check(IntIn(1024, 64 << 20));
  app.add_option("--max-send-bytes", limits.max_send_message_bytes,
                 "Bytes of an answer message")
      ->check(IntIn(1024, 64 << 20));
  app.add_option("--max-deadline-seconds", limits.max_deadline_seconds,
                 "A longer deadline, or none, is shortened to this")
      ->check(SecondsIn(0.001, 86400));
  app.add_option("--kv-slots", config.kv_slots, "Sequences that run at once")
      ->check(IntIn(2, 1024));
  app.add_option("--kv-tokens", config.kv_tokens,
                 "Tokens (prompt + max_new_tokens) of those that run, at least "
                 "one context of the model; 0: 16 contexts, on cuda all slots'")
      ->check(IntIn(0, int64_t{1} << 40));
  app.add_option("--max-queued-sequences", config.max_queued_sequences,
                 "Sequences that may wait")
      ->check(IntIn(1, 1 << 20));
  app.add_option("--max-queued-tokens", config.max_queued_tokens,
                 "Tokens (prompt + max_new_tokens) that may wait")
      ->check(IntIn(1, int64_t{1} << 40));
  app.add_option("--max-prompt-tokens-per-step",
                 config.max_prompt_tokens_per_step,
                 "Prompt tokens of one step, at most; fewer where those take "
                 "more than about 0.1 s (not with --kernel-tuning=off)")
      ->check(IntIn(1, 1 << 20));
  app.add_option("--prefix-cache-tokens", config.prefix_cache_tokens,
                 "Tokens of beginnings of prompts kept in free slots; 0: off")
      ->check(IntIn(0, 1 << 30));
  app.add_option("--max-watchers", config.max_watchers,
                 "WatchSlots streams at once")
      ->check(IntIn(0, 4096));
  app.add_option("--call-memory-mib", config.call_memory_mib,
                 "Memory of requests that wait and of answers that are not "
                 "taken yet; what does not fit waits or is refused")
      ->check(IntIn(16, 1 << 20));
}

void AddLifecycleFlags(CLI::App& app, ServerConfig& config) {
  app.add_option("--lame-duck-seconds", config.lame_duck_seconds,
                 "After SIGTERM: not ready, but still accepting")
      ->check(SecondsIn(0, 600));
  app.add_option("--drain-seconds", config.drain_seconds,
                 "Then: finish what runs, refuse what comes")
      ->check(SecondsIn(0, 3600));
  app.add_option("--log-level", config.log_level, "Least level that is logged")
      ->check(OneOf({"debug", "info", "warning", "error"}));
}

bool IsSetting(const std::string& flag) {
  return flag != "--help" && flag != "--version" && flag != "--man" &&
         flag != "--completion";
}

std::string EnvNameOf(const std::string& flag) {
  return kEnvPrefix + absl::AsciiStrToUpper(absl::StrReplaceAll(
                          absl::StripPrefix(flag, "--"), {{"-", "_"}}));
}

// The environment as flags, for settings that no flag gives. CLI11's own
// handling would let the file win over the environment.
std::vector<std::string> ArgumentsFromEnv(const CLI::App& app,
                                          const std::vector<std::string>& args,
                                          const GetEnvFn& get_env) {
  std::vector<std::string> added;
  for (const CLI::Option* option : app.get_options()) {
    const std::string flag = option->get_name();
    if (!IsSetting(flag)) continue;
    const std::optional<std::string> value = get_env(EnvNameOf(flag));
    if (!value.has_value() || value->empty()) continue;
    const bool given =
        std::any_of(args.begin(), args.end(), [&flag](const std::string& arg) {
          return arg == flag || absl::StartsWith(arg, absl::StrCat(flag, "="));
        });
    if (!given) added.push_back(absl::StrCat(flag, "=", *value));
  }
  return added;
}

std::string HelpText(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string flag = option->get_name();
    if (IsSetting(flag)) option->envname(EnvNameOf(flag));
  }
  return app.help();
}

// Of the user; empty where there is none.
std::string CacheDirectory(const GetEnvFn& get_env) {
  for (const auto& [name, inside] : {std::pair("XDG_CACHE_HOME", "/alignsae"),
                                     std::pair("HOME", "/.cache/alignsae")}) {
    const std::string root = get_env(name).value_or("");
    if (absl::StartsWith(root, "/")) return absl::StrCat(root, inside);
  }
  return "";
}

absl::Status TakeAddresses(const Addresses& addresses, ServerConfig& config) {
  ALIGNSAE_ASSIGN_OR_RETURN(config.listen, ParseEndpoint(addresses.listen));
  ALIGNSAE_ASSIGN_OR_RETURN(config.admin_listen,
                            ParseEndpoint(addresses.admin));
  if (!addresses.http.empty()) {
    config.http.on = true;
    ALIGNSAE_ASSIGN_OR_RETURN(config.http.listen,
                              ParseEndpoint(addresses.http));
  }
  if (!addresses.operators.empty()) {
    config.operators.on = true;
    ALIGNSAE_ASSIGN_OR_RETURN(config.operators.listen,
                              ParseEndpoint(addresses.operators));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<std::string> GetEnv(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

absl::StatusOr<ConfigOutcome> ParseServerConfig(
    const std::vector<std::string>& args, const GetEnvFn& get_env) {
  ConfigOutcome outcome;
  ServerConfig& config = outcome.config;
  Addresses addresses = {config.listen.ToString(),
                         config.admin_listen.ToString(), "", ""};

  CLI::App app(
      "Serves a GPT-2 with AlignSAE checkpoints over gRPC: reads concepts, "
      "inspects slots, steers answers.\n"
      "Every flag is also an environment variable (--kv-slots: "
      "ALIGNSAE_KV_SLOTS) and a key of the file of --config.",
      "alignsae-server");
  app.option_defaults()->always_capture_default();
  app.footer(kExitCodes);
  AddStandardFlags(app);
  app.set_config("--config", "", "Configuration file (TOML), names as flags")
      ->check(File());
  app.allow_config_extras(CLI::config_extras_mode::error);
  AddModelFlags(app, config);
  AddNetworkFlags(app, config, addresses);
  AddAccessFlags(app, config.access);
  AddHttpFlags(app, config.http, addresses.http);
  AddOperatorFlags(app, config.operators, addresses.operators);
  AddLimitFlags(app, config);
  AddLifecycleFlags(app, config);

  try {  // CLI11 speaks in exceptions; they end here.
    std::vector<std::string> all = ArgumentsFromEnv(app, args, get_env);
    all.insert(all.end(), args.begin(), args.end());
    std::reverse(all.begin(), all.end());  // What CLI11 asks for.
    app.parse(std::move(all));
  } catch (const CLI::CallForHelp&) {
    outcome.text_to_print = HelpText(app);
    return outcome;
  } catch (const CLI::Success& asked) {
    outcome.text_to_print = *TextAsked(app, asked);
    return outcome;
  } catch (const CLI::ConfigError& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("--config: ", OneLine(error.what())));
  } catch (const CLI::ParseError& error) {
    return absl::InvalidArgumentError(MistakeOf(app, error));
  }
  ALIGNSAE_RETURN_IF_ERROR(TakeAddresses(addresses, config));
  if (app.get_option("--cache-dir")->count() == 0) {
    config.cache_dir = CacheDirectory(get_env);
  } else if (config.cache_dir == "off") {
    config.cache_dir.clear();
  }
  ALIGNSAE_RETURN_IF_ERROR(RelateSettings(
      [&app](absl::string_view name) {
        return app.get_option(std::string(name))->count() > 0;
      },
      &config));
  return outcome;
}

}  // namespace alignsae
