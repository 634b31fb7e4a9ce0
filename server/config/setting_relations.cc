#include "server/config/setting_relations.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using IsGiven = std::function<bool(absl::string_view)>;

// What a request message holds beside its prompt.
constexpr int kMessageBytesBesidePrompt = 1024;

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

// `value` of `name` must be at most `limit`, which `why` explains: refused when
// it was given, else lowered to it.
template <typename Number>
absl::Status AtMost(const IsGiven& is_given, absl::string_view name,
                    absl::string_view why, Number limit, Number* value) {
  if (*value <= limit) return absl::OkStatus();
  if (is_given(name)) {
    return Refused(name, ": must be at most ", limit, ", ", why, ", got ",
                   *value);
  }
  *value = limit;
  return absl::OkStatus();
}

absl::Status RelateQueue(const IsGiven& is_given, ServerConfig* config) {
  const int sequences = config->max_queued_sequences;
  const int64_t tokens = config->max_queued_tokens;
  Limits& limits = config->limits;
  if (sequences < 2) {
    return Refused(
        "--max-queued-sequences: must be at least 2, the arms of a Swap, got ",
        sequences);
  }
  if (tokens < 4) {
    return Refused(
        "--max-queued-tokens: must be at least 4, the arms of a Swap of one "
        "token, got ",
        tokens);
  }
  ALIGNSAE_RETURN_IF_ERROR(
      AtMost(is_given, "--max-prompts-per-batch",
             absl::StrCat("as --max-queued-sequences is ", sequences),
             sequences, &limits.max_prompts_per_batch));
  ALIGNSAE_RETURN_IF_ERROR(
      AtMost(is_given, "--max-sweep-cells",
             absl::StrCat("one less than --max-queued-sequences, which is ",
                          sequences),
             sequences - 1, &limits.max_sweep_cells));
  const auto new_tokens =
      static_cast<int>(std::min<int64_t>((tokens - 2) / 2, INT32_MAX));
  return AtMost(is_given, "--max-new-tokens",
                absl::StrCat("so that the arms of a Swap fit into "
                             "--max-queued-tokens, which is ",
                             tokens),
                new_tokens, &limits.max_new_tokens);
}

absl::Status RelateMessages(const IsGiven& is_given, ServerConfig* config) {
  Limits& limits = config->limits;
  const int message = limits.max_receive_message_bytes;
  ALIGNSAE_RETURN_IF_ERROR(AtMost(
      is_given, "--max-prompt-bytes",
      absl::StrCat("1024 less than --max-receive-bytes, which is ", message),
      std::max(1, message - kMessageBytesBesidePrompt),
      &limits.max_prompt_bytes));
  const int64_t memory = int64_t{config->connections.memory_mib} << 20;
  if (message > memory) {
    return Refused(
        "--grpc-memory-mib: must hold a message of "
        "--max-receive-bytes (",
        message, "), got ", config->connections.memory_mib);
  }
  return absl::OkStatus();
}

absl::Status CheckDiffer(absl::string_view name, const Endpoint& endpoint,
                         absl::string_view other_name, const Endpoint& other) {
  if (endpoint.port == 0 || endpoint.port != other.port ||
      endpoint.host != other.host) {
    return absl::OkStatus();
  }
  return Refused(name, ": must differ from ", other_name, ", got ",
                 endpoint.ToString(), " for both");
}

absl::Status CheckPortsDiffer(const ServerConfig& config) {
  struct Named {
    absl::string_view name;
    const Endpoint* endpoint;
  };
  std::vector<Named> ports = {{"--listen", &config.listen},
                              {"--admin-listen", &config.admin_listen}};
  if (config.http.on) ports.push_back({"--http-listen", &config.http.listen});
  if (config.operators.on) {
    ports.push_back({"--operator-listen", &config.operators.listen});
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      ALIGNSAE_RETURN_IF_ERROR(CheckDiffer(ports[i].name, *ports[i].endpoint,
                                           ports[j].name, *ports[j].endpoint));
    }
  }
  return absl::OkStatus();
}

absl::Status RelateConnections(const IsGiven& is_given, ServerConfig* config) {
  const double deadline = config->limits.max_deadline_seconds;
  double& grace = config->connections.max_age_grace_seconds;
  if (grace < deadline) {
    if (is_given("--max-connection-age-grace-seconds")) {
      return Refused(
          "--max-connection-age-grace-seconds: must be at least "
          "--max-deadline-seconds (",
          deadline, "), got ", grace);
    }
    grace = deadline;
  }
  return CheckPortsDiffer(*config);
}

absl::Status CheckTls(const ServerConfig& config) {
  const TlsFiles& tls = config.tls;
  if (!config.access.tokens.empty() && config.access.policy.empty()) {
    return Refused("--tokens: must not be set without --policy");
  }
  if (tls.certificate.empty() != tls.key.empty()) {
    return Refused("--tls-cert and --tls-key: must be set together");
  }
  if (!tls.client_ca.empty() && tls.certificate.empty()) {
    return Refused("--tls-client-ca: must not be set without --tls-cert");
  }
  if (!tls.client_ca.empty() && config.access.policy.empty() &&
      config.http.on && !IsLoopback(config.http.listen.host)) {
    return Refused(
        "--http-listen: must be a loopback address with --tls-client-ca and "
        "without --policy, as it asks for no certificate, got ",
        config.http.listen.ToString());
  }
  if (tls.client_ca.empty() && config.operators.on &&
      !IsLoopback(config.operators.listen.host)) {
    return Refused(
        "--operator-listen: must be a loopback address without "
        "--tls-client-ca, as whoever reaches it may change what is served, "
        "got ",
        config.operators.listen.ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RelateSettings(const IsGiven& is_given, ServerConfig* config) {
  if (config->model.empty()) {
    return Refused("--model: must be set; give a bundle or a GPT-2 directory");
  }
  if (config->device != "cpu" && !is_given("--kv-slots")) {
    config->kv_slots = kKvContexts;  // It takes the memory of whole contexts.
  }
  if (!is_given("--reflection")) {
    config->reflection = IsLoopback(config->listen.host);
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckTls(*config));
  ALIGNSAE_RETURN_IF_ERROR(RelateQueue(is_given, config));
  ALIGNSAE_RETURN_IF_ERROR(RelateMessages(is_given, config));
  return RelateConnections(is_given, config);
}

}  // namespace alignsae
