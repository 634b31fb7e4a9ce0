// An answer kept in a file, with all that is needed to compute it again: the
// request with the ids of its prompt and its seed, and the hashes of what
// answered.
//
//   {"format_version": 1, "rpc": "Swap" | "Complete" | "SweepAlpha",
//    "server_version", "model": Model, "checkpoints": [Checkpoint],
//    "request", "answer"}
//
// where capital names are messages of the API, as their JSON. A streamed answer
// is kept as the Complete that gives the same; a sweep's is
// {"started": SweepStarted, "cells": [SweepCell]}, the cells by their index.
//
// Thread-safety: value types; free functions.
// Errors: those of files; INVALID_ARGUMENT for a file that holds something
// else.

#ifndef ALIGNSAE_CLIENT_CLI_SAVED_ANSWER_H_
#define ALIGNSAE_CLIENT_CLI_SAVED_ANSWER_H_

#include <cstdint>
#include <map>
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

struct SavedSweep {
  struct Answer {
    v1::SweepStarted started;
    std::map<int, v1::SweepCell>
        cells;  // By index, in whatever order they came.
    const auto& prompt_token_ids() const { return started.prompt_token_ids(); }
    uint64_t seed() const { return started.seed(); }
  };
  // The stream's events.
  void Add(const v1::SweepAlphaResponse& event);

  v1::SweepAlphaRequest request;
  Answer answer;
};

using SavedCall = std::variant<SavedSwap, SavedComplete, SavedSweep>;

struct SavedAnswer {
  v1::GetModelResponse model;  // Without limits.
  SavedCall call;
};

// No effect where `path` is empty. Asks the server what answered.
absl::Status SaveAnswer(const std::string& path, Client& client,
                        const SavedCall& call);
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
