#include "server/http/connect_stream.h"

#include <functional>
#include <utility>

namespace alignsae {

void ConnectFrames::BeginOnce() {
  if (std::exchange(begun_, true)) return;
  HttpReply head;
  head.headers = {{"Content-Type", ContentTypeOf({call_->codec, true})},
                  {kRequestIdKey, call_->call->request_id()}};
  call_->exchange->Begin(std::move(head));
}

void ConnectFrames::Write(const google::protobuf::Message& message,
                          std::function<void(bool)> written) {
  BeginOnce();
  std::function<void(bool)> told;
  if (written != nullptr) {
    told = [lanes = call_->call->env().lanes,
            written = std::move(written)](bool ok) {
      lanes->interactive.Schedule([written, ok] { written(ok); });
    };
  }
  call_->exchange->Write(Envelope(0, RenderMessage(call_->codec, message)),
                         std::move(told));
}

void ConnectFrames::End(const WireStatus& status) {
  BeginOnce();
  call_->exchange->Write(EndOfStream(status), nullptr);
  call_->exchange->End();
}

}  // namespace alignsae
