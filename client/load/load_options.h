// What alignsae-load does, from its command line.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_CLIENT_LOAD_LOAD_OPTIONS_H_
#define ALIGNSAE_CLIENT_LOAD_LOAD_OPTIONS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace alignsae {

// The RPCs that a load is mixed of, by name: "read" (ReadConcepts of one
// prompt), "inspect", "stream" (ReadConceptsStream of 8 times 16 prompts),
// "swap", "complete" (no intervention), "generate" (the same as a stream),
// "sweep" (three strengths), "model" (GetModel), "concepts" (ListConcepts),
// "tokenize", "detokenize", "explain" (ExplainSlot), "validate"
// (ValidateBinding of one prompt) and "watch" (WatchSlots until its first
// message).
using LoadMix = std::map<std::string, double>;  // Name -> weight, > 0.

// "swap=1,read=3". INVALID_ARGUMENT names the part that is wrong.
absl::StatusOr<LoadMix> ParseMix(absl::string_view text);

struct LoadOptions {
  std::string target = "127.0.0.1:50051";
  std::string token;  // Sent as a bearer token; empty: none.
  // With TLS: PEM contents, as in ClientOptions.
  bool tls = false;
  std::string ca_pem, certificate_pem, key_pem;
  // Closed loop: this many callers, each calling again when it has its answer.
  int concurrency = 16;
  // Open loop when > 0: calls per second, at times of a Poisson process,
  // whatever the server does.
  double rate = 0;
  // The calls go over this many connections in turn: a server bounds the calls
  // of one.
  int connections = 8;
  absl::Duration duration = absl::Seconds(10);
  absl::Duration warmup = absl::Seconds(1);  // Not counted.
  absl::Duration deadline = absl::Seconds(5);
  LoadMix mix = {{"swap", 1}};
  int max_new_tokens = 12;
  bool ignore_eos = true;  // Every answer has max_new_tokens.
  // Tokens in front of every prompt, the same for all, as of a few examples: 0:
  // the questions stand alone.
  int shared_head = 0;
  uint64_t seed = 1;
  // Health checks meanwhile, one every so often; zero: none.
  absl::Duration health_every = absl::Milliseconds(100);
  std::string client_id;
  // Callers with names of their own, who come in turn: "<client_id>-0", ...
  int clients = 1;

  // Sent as x-client-id; empty: nothing is.
  std::string ClientName(int client) const;
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_LOAD_LOAD_OPTIONS_H_
