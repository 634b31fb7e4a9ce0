// OpenAI's /v1/completions and /v1/models at the front door, for clients that
// speak that: a completion is a Complete, a streamed one a Generate.
//
//   prompt       a text, several, token ids, or several of them
//   n            further answers, whose seeds follow each other's
//   model        the loaded model's name
//   steering     ours, in `extra_body`: interventions, as JSON of the protos
//
//   echo         the prompt before the answer, with `logprobs` its tokens' too;
//                then `max_tokens` may be 0
//   min_tokens   no end of text before so many tokens (vLLM's name)
//
// What cannot be done here is refused by its name, never left out: best_of and
// suffix. Their default values are fine.
//
// Threads: CheckOpenAi and HandleOpenAi on the door's; they do not block.
//
// Thread-safety: thread-safe.

#ifndef ALIGNSAE_SERVER_HTTP_OPENAI_DOOR_H_
#define ALIGNSAE_SERVER_HTTP_OPENAI_DOOR_H_

#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "server/api/rpc_env.h"
#include "server/http/door_exchange.h"

namespace alignsae {

// Whether errors of this path are told as OpenAI's are.
bool IsOpenAiPath(absl::string_view path);

// Why a request is none of the above, or nullopt.
std::optional<HttpFailure> CheckOpenAi(const HttpRequest& request);

// Answers a request that CheckOpenAi let through. `env` outlives the answer.
void HandleOpenAi(const RpcEnv* env,
                  const std::shared_ptr<DoorExchange>& exchange);

// A refusal in OpenAI's form.
HttpReply RefuseOpenAi(const HttpFailure& failure);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_OPENAI_DOOR_H_
