// The body of a POST to /v1/completions, read into what server/api is asked.
//
// Thread-safety: free functions.
// Errors: FieldErrors, INVALID_ARGUMENT, whose path is the field of the body.

#ifndef ALIGNSAE_SERVER_HTTP_OPENAI_REQUEST_H_
#define ALIGNSAE_SERVER_HTTP_OPENAI_REQUEST_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "alignsae/v1/steering_service.pb.h"
#include "server/config/server_config.h"

namespace alignsae {

// An answer that is asked for: a prompt's, one of `n`.
struct AskedChoice {
  int prompt = 0;  // Which of the prompts.
  v1::CompleteRequest request;
};

struct AskedCompletion {
  std::string model;
  std::vector<AskedChoice> choices;  // In the order of their indices.
  int prompts = 0;
  bool stream = false;
  bool include_usage = false;  // A last chunk with it.
  bool echo = false;           // The prompt is told before the answer.
  bool prompt_only = false;    // Of the answer nothing is told; with echo.
  std::optional<int> logprobs;
};

absl::StatusOr<AskedCompletion> ParseCompletion(absl::string_view body,
                                                const Limits& limits);

// A request of Generate is one of Complete, for a stream.
v1::GenerateRequest ToGenerate(const v1::CompleteRequest& request);

// The body's name for a field of server/api.
std::string CompletionField(absl::string_view path);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_OPENAI_REQUEST_H_
