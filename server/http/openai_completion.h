// What the answers to /v1/completions consist of, and how a whole one is run:
// one Complete for each choice.
//
// Thread-safety: free functions; what they share is read only.

#ifndef ALIGNSAE_SERVER_HTTP_OPENAI_COMPLETION_H_
#define ALIGNSAE_SERVER_HTTP_OPENAI_COMPLETION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/steering_service.pb.h"
#include "nlohmann/json.hpp"
#include "server/api/call.h"
#include "server/api/utf8_stream.h"
#include "server/http/door_exchange.h"
#include "server/http/openai_request.h"

namespace alignsae {

// One POST to /v1/completions on its way; alive until the exchange's OnDone.
struct CompletionCall {
  std::shared_ptr<DoorExchange> exchange;
  AskedCompletion asked;
  std::vector<std::shared_ptr<Call>> calls;  // One for each choice.
  int64_t created = 0;                       // Unix seconds.

  const RpcEnv& env() const { return calls.front()->env(); }
  const std::string& request_id() const { return calls.front()->request_id(); }
  void CancelAll() const;
};

// Runs all choices and answers with one object.
void RunCompletion(std::shared_ptr<CompletionCall> call);

// {"id", "object", "created", "model"}, with these choices.
nlohmann::json CompletionObject(const CompletionCall& call,
                                nlohmann::json choices);
nlohmann::json Usage(int64_t prompt_tokens, int64_t completion_tokens);
// "stop", "length", or null.
nlohmann::json FinishName(v1::FinishReason reason);
nlohmann::json ReceiptsOf(const v1::ArmResult& arm);
// {"error": ...}
nlohmann::json OpenAiError(const WireStatus& wire);
HttpReply ErrorReply(const WireStatus& wire, const std::string& request_id);
// OpenAI's word for a failure of this HTTP status.
const char* ErrorType(int http_status);
std::string DumpJson(const nlohmann::json& json);

// How many of the answer's tokens are told.
int ToldTokens(const AskedCompletion& asked, const v1::ArmResult& arm);

// The `logprobs` of a choice, token by token, those of an echoed prompt first,
// with where in its text each begins, in characters. The first token of a
// prompt has null, as it follows nothing.
class LogprobsWriter {
 public:
  void Add(const v1::PromptToken& token, nlohmann::json* logprobs);
  void Add(const v1::Token& token, nlohmann::json* logprobs);
  static nlohmann::json Empty();

 private:
  void Add(const std::string& piece, nlohmann::json logprob, nlohmann::json top,
           nlohmann::json* logprobs);

  Utf8Stream utf8_;
  int at_ = 0;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_OPENAI_COMPLETION_H_
