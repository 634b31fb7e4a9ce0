// An answer kept in a file, with all that is needed to compute it again: the
// request with the ids of its prompt and its seed, and the hashes of what
// answered.
//
//   {"format_version": 1, "rpc": "Swap" | "Complete", "server_version",
//    "model": Model, "checkpoints": [Checkpoint], "request", "answer"}
//
// where capital names are messages of the API, as their JSON. A streamed answer
// is kept as the Complete that gives the same.
//
// Thread-safety: value types; free functions.
// Errors: those of files; INVALID_ARGUMENT for a file that holds something
// else.

#ifndef ALIGNSAE_CLIENT_CLI_SAVED_ANSWER_H_
#define ALIGNSAE_CLIENT_CLI_SAVED_ANSWER_H_

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignsae/v1/model_service.pb.h"
#include "alignsae/v1/steering_service.pb.h"
#include "client/lib/client.h"

namespace alignsae {

struct SavedSwap {
  v1::SwapRequest request;
  v1::SwapResponse answer;
};

struct SavedComplete {
  SavedComplete() = default;
  explicit SavedComplete(const v1::GenerateRequest& streamed);
  // The stream's events, in order.
  void Add(const v1::GenerateResponse& event);

  v1::CompleteRequest request;
  v1::CompleteResponse answer;
};

struct SavedAnswer {
  v1::GetModelResponse model;  // Without limits.
  std::variant<SavedSwap, SavedComplete> call;
};

// No effect where `path` is empty. Asks the server what answered.
absl::Status SaveAnswer(const std::string& path, Client& client,
                        std::variant<SavedSwap, SavedComplete> call);
absl::StatusOr<SavedAnswer> ReadSavedAnswer(const std::string& path);

// The request with which the answer is computed again: the prompt as its ids,
// the seed that was used.
template <typename Saved>
auto ReplayOf(const Saved& saved) {
  auto request = saved.request;
  request.mutable_prompt()->mutable_token_ids()->mutable_ids()->CopyFrom(
      saved.answer.prompt_token_ids());
  request.mutable_generation()->set_seed(saved.answer.seed());
  return request;
}

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_SAVED_ANSWER_H_
