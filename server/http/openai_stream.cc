#include "server/http/openai_stream.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/mutex.h"
#include "server/api/model_stream.h"
#include "server/api/steering_rpcs.h"
#include "server/api/utf8_stream.h"

namespace alignsae {
namespace {

using nlohmann::json;
using Stream = ModelStream<v1::GenerateResponse>;

std::string Event(const json& data) {
  return absl::StrCat("data: ", DumpJson(data), "\n\n");
}

// What the choices of one answer share: the exchange that they write to, and
// its end. Called with the lock of one choice's stream held.
class SharedStream {
 public:
  explicit SharedStream(std::shared_ptr<CompletionCall> call)
      : call_(std::move(call)), left_(call_->calls.size()), patient_(left_) {}

  const CompletionCall& call() const { return *call_; }

  // False: a choice has failed, nothing is written.
  bool Write(const json& data, std::function<void(bool)> written)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (failure_.has_value()) return false;
    Begin();
    call_->exchange->Write(Event(data), std::move(written));
    return true;
  }

  // A choice has come to its end. When one fails the others are cancelled; the
  // answer ends when all have ended, as the exchange keeps them until then.
  void EndChoice(const WireStatus& wire, int64_t prompt_tokens,
                 int64_t completion_tokens) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    prompt_tokens_ += prompt_tokens;
    completion_tokens_ += completion_tokens;
    --left_;
    if (wire.code != absl::StatusCode::kOk && !failure_.has_value()) {
      failure_ = wire;
      // Not here, with a stream's lock held.
      call_->env().lanes->interactive.Schedule(
          [call = call_] { call->CancelAll(); });
    }
    if (left_ > 0) return;
    if (failure_.has_value()) {
      Fail(*failure_);
    } else {
      Finish();
    }
  }

  // Each choice says once how long its reader has; the last counts, or the
  // answer would be cut off while another choice goes on.
  void GiveUpAfter(absl::Duration patience) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (--patient_ == 0) call_->exchange->GiveUpAfter(patience);
  }

 private:
  void Begin() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(begun_, true)) return;
    HttpReply head;
    head.headers = {{"Content-Type", "text/event-stream"},
                    {kRequestIdKey, call_->request_id()}};
    call_->exchange->Begin(std::move(head));
  }

  void Fail(const WireStatus& wire) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (begun_) {
      call_->exchange->Write(Event(OpenAiError(wire)), nullptr);
      call_->exchange->End();
    } else {
      call_->exchange->Answer(ErrorReply(wire, call_->request_id()));
    }
  }

  void Finish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Begin();
    if (call_->asked.include_usage) {
      json object = CompletionObject(*call_, json::array());
      object["usage"] = Usage(prompt_tokens_, completion_tokens_);
      call_->exchange->Write(Event(object), nullptr);
    }
    call_->exchange->Write("data: [DONE]\n\n", nullptr);
    call_->exchange->End();
  }

  const std::shared_ptr<CompletionCall> call_;
  Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  size_t patient_ ABSL_GUARDED_BY(mutex_);
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<WireStatus> failure_ ABSL_GUARDED_BY(mutex_);  // The first.
  int64_t prompt_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t completion_tokens_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One choice: its stream's messages become events of the answer.
class ChoiceSink final : public StreamSink<v1::GenerateResponse> {
 public:
  ChoiceSink(std::shared_ptr<SharedStream> shared, size_t index)
      : shared_(std::move(shared)),
        index_(index),
        request_(ToGenerate(asked().choices[index].request)) {}

  const v1::GenerateRequest& request() const { return request_; }
  void SetStream(const std::shared_ptr<Stream>& stream) { stream_ = stream; }

  void Write(const v1::GenerateResponse& message) override {
    const std::optional<json> choice = ChoiceOf(message);
    const auto written = [lanes = shared_->call().env().lanes,
                          weak = stream_](bool ok) {
      lanes->interactive.Schedule([weak, ok] {
        if (const auto stream = weak.lock()) stream->OnWritten(ok);
      });
    };
    if (!choice.has_value()) {
      written(true);  // Nothing to tell; go on.
    } else if (!shared_->Write(
                   CompletionObject(shared_->call(), json::array({*choice})),
                   written)) {
      written(false);
    }
  }
  void Finish(const v1::GenerateResponse* summary,
              const WireStatus& wire) override {
    if (summary == nullptr) {
      shared_->EndChoice(wire, 0, 0);
      return;
    }
    const v1::GenerationSummary& end = summary->summary();
    const v1::ArmResult& arm = end.arms(0);
    if (arm.receipts_size() > 0) {
      json choice = Choice("");
      choice["steering"] = ReceiptsOf(arm);
      shared_->Write(CompletionObject(shared_->call(), json::array({choice})),
                     nullptr);
    }
    const int prompt = asked().choices[index_].prompt;
    const bool first =
        index_ == 0 || asked().choices[index_ - 1].prompt != prompt;
    shared_->EndChoice(wire, first ? end.prompt_token_count() : 0,
                       ToldTokens(asked(), arm));
  }
  void GiveUpAfter(absl::Duration patience) override {
    shared_->GiveUpAfter(patience);
  }

 private:
  const AskedCompletion& asked() const { return shared_->call().asked; }

  json Choice(const std::string& text) const {
    return {{"index", index_},
            {"text", text},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
  }

  // Its tokens are told one by one where they have logprobs or no text.
  bool ScoresPrompt() const {
    return request_.generation().has_prompt_logprobs();
  }

  std::optional<json> ChoiceOf(const v1::GenerateResponse& message) {
    switch (message.event_case()) {
      case v1::GenerateResponse::kStarted:
        if (!asked().echo || ScoresPrompt()) return std::nullopt;
        return Choice(asked().choices[index_].request.prompt().text());
      case v1::GenerateResponse::kPrompt:
        return PromptChoice(message.prompt());
      case v1::GenerateResponse::kToken:
        if (asked().prompt_only) return std::nullopt;
        return TokenChoice(message.token());
      case v1::GenerateResponse::kArmFinished: {
        const v1::ArmFinished& end = message.arm_finished();
        json choice =
            Choice(asked().prompt_only ? prompt_.Finish() : end.text_tail());
        choice["finish_reason"] =
            FinishName(asked().prompt_only ? v1::FINISH_REASON_LENGTH
                                           : end.finish_reason());
        return choice;
      }
      default:
        return std::nullopt;
    }
  }

  json PromptChoice(const v1::PromptDelta& delta) {
    std::string text;
    for (const v1::PromptToken& token : delta.tokens()) {
      text += prompt_.Push(token.piece());
    }
    json choice = Choice(text);
    if (asked().logprobs.has_value()) {
      choice["logprobs"] = LogprobsWriter::Empty();
      for (const v1::PromptToken& token : delta.tokens()) {
        logprobs_.Add(token, &choice["logprobs"]);
      }
    }
    return choice;
  }

  std::optional<json> TokenChoice(const v1::TokenDelta& delta) {
    // What the prompt's last bytes left open is no character.
    const std::string text = prompt_.Finish() + delta.text();
    if (text.empty() && !asked().logprobs.has_value()) return std::nullopt;
    json choice = Choice(text);
    if (asked().logprobs.has_value()) {
      choice["logprobs"] = LogprobsWriter::Empty();
      logprobs_.Add(delta.token(), &choice["logprobs"]);
    }
    return choice;
  }

  const std::shared_ptr<SharedStream> shared_;
  const size_t index_;
  const v1::GenerateRequest request_;
  std::weak_ptr<Stream> stream_;
  LogprobsWriter logprobs_;
  Utf8Stream prompt_;  // The text of a scored prompt.
};

}  // namespace

void RunCompletionStream(const std::shared_ptr<CompletionCall>& call) {
  const auto shared = std::make_shared<SharedStream>(call);
  std::vector<std::shared_ptr<Stream>> streams;
  for (size_t i = 0; i < call->calls.size(); ++i) {
    const auto sink = std::make_shared<ChoiceSink>(shared, i);
    streams.push_back(Generate(call->calls[i], &sink->request(), sink));
    sink->SetStream(streams.back());
  }
  // A stream has its sink; the exchange has them all until it is over.
  call->exchange->OnDone([streams] {});
  for (const std::shared_ptr<Stream>& stream : streams) stream->Begin();
}

}  // namespace alignsae
