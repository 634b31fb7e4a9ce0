#include "server/http/openai_completion.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/mutex.h"
#include "server/api/steering_rpcs.h"
#include "server/http/connect_codec.h"
#include "server/http/door_call.h"

namespace alignsae {
namespace {

using nlohmann::json;

int CountCharacters(absl::string_view utf8) {
  return static_cast<int>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// A token's text, or as OpenAI writes bytes that are a part of a character.
std::string PieceName(const std::string& piece) {
  if (ToUtf8(piece) == piece) return piece;
  return absl::StrCat("bytes:", absl::CHexEscape(piece));
}

template <typename Token>
json TopOf(const Token& token) {
  json top = json::object();
  for (const v1::TokenLogprob& other : token.top_logprobs()) {
    top[PieceName(other.piece())] = other.logprob();
  }
  return top;
}

// The choices of a whole answer, run beside each other.
class WholeCompletion final
    : public std::enable_shared_from_this<WholeCompletion> {
 public:
  explicit WholeCompletion(std::shared_ptr<CompletionCall> call)
      : call_(std::move(call)),
        left_(call_->calls.size()),
        responses_(call_->calls.size()) {}

  void Run() {
    for (size_t i = 0; i < responses_.size(); ++i) {
      Complete(call_->calls[i], &call_->asked.choices[i].request,
               &responses_[i],
               [self = shared_from_this(), i](const absl::Status& status) {
                 self->EndChoice(self->call_->calls[i]->End(status));
               });
    }
  }

 private:
  void EndChoice(const WireStatus& wire) ABSL_LOCKS_EXCLUDED(mutex_) {
    const bool failed = wire.code != absl::StatusCode::kOk;
    bool last = false;
    {
      MutexLock lock(&mutex_);
      if (failed && !failure_.has_value()) failure_ = wire;
      last = --left_ == 0;
    }
    // One answer for all: the others need not go on.
    if (failed) call_->CancelAll();
    if (last) Finish();
  }

  void Finish() ABSL_LOCKS_EXCLUDED(mutex_) {
    size_t bytes = 0;
    for (const v1::CompleteResponse& response : responses_) {
      bytes += response.ByteSizeLong();
    }
    RenderInLane(*call_->calls.front(), bytes,
                 [self = shared_from_this()] { self->Answer(); });
  }

  void Answer() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    HttpReply reply;
    if (failure_.has_value()) {
      reply = ErrorReply(*failure_, call_->request_id());
    } else {
      reply.headers = {{"Content-Type", "application/json"},
                       {kRequestIdKey, call_->request_id()}};
      reply.body = DumpJson(Object());
    }
    call_->exchange->GiveUpAfter(call_->env().unread.max_age);
    call_->exchange->Answer(std::move(reply));
  }

  json Object() const {
    json choices = json::array();
    int64_t prompt_tokens = 0;
    int64_t completion_tokens = 0;
    int seen_prompt = -1;
    for (size_t i = 0; i < responses_.size(); ++i) {
      const v1::CompleteResponse& response = responses_[i];
      choices.push_back(Choice(i, response.arms(0)));
      completion_tokens += ToldTokens(call_->asked, response.arms(0));
      // The n answers to a prompt are asked with it once.
      const int prompt = call_->asked.choices[i].prompt;
      if (std::exchange(seen_prompt, prompt) != prompt) {
        prompt_tokens += response.prompt_token_count();
      }
    }
    json object = CompletionObject(*call_, std::move(choices));
    object["usage"] = Usage(prompt_tokens, completion_tokens);
    return object;
  }

  json Choice(size_t i, const v1::ArmResult& arm) const {
    const AskedCompletion& asked = call_->asked;
    std::string text = asked.echo ? EchoText(i, arm) : "";
    if (!asked.prompt_only) text += arm.text();
    json logprobs = nullptr;
    if (asked.logprobs.has_value()) {
      logprobs = LogprobsWriter::Empty();
      LogprobsWriter writer;
      for (const v1::PromptToken& token : arm.prompt_tokens()) {
        writer.Add(token, &logprobs);
      }
      for (const v1::Token& token : arm.tokens()) {
        if (!asked.prompt_only) writer.Add(token, &logprobs);
      }
    }
    json choice = {{"index", i},
                   {"text", std::move(text)},
                   {"logprobs", std::move(logprobs)},
                   {"finish_reason",
                    FinishName(asked.prompt_only ? v1::FINISH_REASON_LENGTH
                                                 : arm.finish_reason())}};
    if (arm.receipts_size() > 0) choice["steering"] = ReceiptsOf(arm);
    return choice;
  }

  std::string EchoText(size_t i, const v1::ArmResult& arm) const {
    const v1::Prompt& prompt = call_->asked.choices[i].request.prompt();
    if (prompt.has_text()) return prompt.text();
    std::string bytes;
    for (const v1::PromptToken& token : arm.prompt_tokens()) {
      bytes += token.piece();
    }
    return ToUtf8(bytes);
  }

  const std::shared_ptr<CompletionCall> call_;
  Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  // Each is its call's until that has ended.
  std::vector<v1::CompleteResponse> responses_;
  std::optional<WireStatus> failure_ ABSL_GUARDED_BY(mutex_);  // The first.
};

}  // namespace

void CompletionCall::CancelAll() const {
  for (const std::shared_ptr<Call>& call : calls) call->Cancel();
}

void RunCompletion(std::shared_ptr<CompletionCall> call) {
  call->exchange->OnDone([call] {});
  std::make_shared<WholeCompletion>(std::move(call))->Run();
}

json CompletionObject(const CompletionCall& call, json choices) {
  return {{"id", absl::StrCat("cmpl-", call.request_id())},
          {"object", "text_completion"},
          {"created", call.created},
          {"model", call.asked.model},
          {"choices", std::move(choices)}};
}

json Usage(int64_t prompt_tokens, int64_t completion_tokens) {
  return {{"prompt_tokens", prompt_tokens},
          {"completion_tokens", completion_tokens},
          {"total_tokens", prompt_tokens + completion_tokens}};
}

json FinishName(v1::FinishReason reason) {
  switch (reason) {
    case v1::FINISH_REASON_EOS:
    case v1::FINISH_REASON_STOP:
      return "stop";
    case v1::FINISH_REASON_LENGTH:
      return "length";
    default:
      return nullptr;
  }
}

int ToldTokens(const AskedCompletion& asked, const v1::ArmResult& arm) {
  return asked.prompt_only ? 0 : arm.generated_token_count();
}

json ReceiptsOf(const v1::ArmResult& arm) {
  json receipts = json::array();
  for (const v1::InterventionReceipt& receipt : arm.receipts()) {
    receipts.push_back(
        json::parse(RenderMessage(Codec::kJson, receipt), nullptr, false));
  }
  return receipts;
}

json OpenAiError(const WireStatus& wire) {
  json param = nullptr;
  std::string message = wire.message;
  if (!wire.field.empty()) {
    const std::string field = CompletionField(wire.field);
    message = absl::StrCat(
        field, absl::string_view(wire.message).substr(wire.field.size()));
    param = field;
  }
  json code = wire.reason;
  if (wire.code == absl::StatusCode::kNotFound && param == "model") {
    code = "model_not_found";
  }
  return {{"error",
           {{"message", std::move(message)},
            {"type", ErrorType(HttpStatusOf(wire.code))},
            {"param", std::move(param)},
            {"code", std::move(code)}}}};
}

HttpReply ErrorReply(const WireStatus& wire, const std::string& request_id) {
  HttpReply reply;
  reply.status = HttpStatusOf(wire.code);
  reply.headers = {{"Content-Type", "application/json"},
                   {kRequestIdKey, request_id}};
  reply.body = DumpJson(OpenAiError(wire));
  AddErrorHeaders(wire, &reply);
  return reply;
}

const char* ErrorType(int http_status) {
  if (http_status == 429) return "rate_limit_error";
  if (http_status >= 400 && http_status < 499) return "invalid_request_error";
  return "server_error";
}

std::string DumpJson(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json LogprobsWriter::Empty() {
  return {{"tokens", json::array()},
          {"token_logprobs", json::array()},
          {"top_logprobs", json::array()},
          {"text_offset", json::array()}};
}

void LogprobsWriter::Add(const v1::PromptToken& token, json* logprobs) {
  if (token.has_logprob()) {
    Add(token.piece(), token.logprob(), TopOf(token), logprobs);
  } else {
    Add(token.piece(), nullptr, nullptr, logprobs);
  }
}

void LogprobsWriter::Add(const v1::Token& token, json* logprobs) {
  Add(token.piece(), token.logprob(), TopOf(token), logprobs);
}

void LogprobsWriter::Add(const std::string& piece, json logprob, json top,
                         json* logprobs) {
  (*logprobs)["tokens"].push_back(PieceName(piece));
  (*logprobs)["token_logprobs"].push_back(std::move(logprob));
  (*logprobs)["text_offset"].push_back(at_);
  (*logprobs)["top_logprobs"].push_back(std::move(top));
  at_ += CountCharacters(utf8_.Push(piece));
}

}  // namespace alignsae
