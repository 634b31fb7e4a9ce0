// How answers get onto standard output: as tables that fit it, or as JSON.
//
// Thread-safety: main's thread only.
// Errors: DATA_LOSS once standard output does not take what is written.

#ifndef ALIGNSAE_CLIENT_CLI_OUTPUT_H_
#define ALIGNSAE_CLIENT_CLI_OUTPUT_H_

#include <google/protobuf/message.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "alignsae/v1/steering_service.pb.h"
#include "client/cli/options.h"
#include "model/terminal/terminal.h"

namespace alignsae {

absl::Status PrintText(const std::string& text);

// On one line, or indented.
absl::Status PrintJson(const google::protobuf::Message& message, bool indented);

// The answer, or its status. Of a batch (options.file) JSON takes one line.
// `render` makes the text: std::string(const Response&, const Look&).
template <typename Response, typename Render>
absl::Status PrintAnswer(const CliOptions& options,
                         const absl::StatusOr<Response>& answer,
                         const Render& render) {
  if (!answer.ok()) return answer.status();
  if (options.json) return PrintJson(*answer, options.file.empty());
  return PrintText(render(*answer, LookOf(stdout)));
}

// Prints deltas as they come. With one arm the text flows; with two, each arm's
// text is kept and printed when the stream ends, because lines would mix.
class StreamPrinter {
 public:
  explicit StreamPrinter(const CliOptions& options)
      : options_(options), two_arms_(options.both) {}

  absl::Status OnEvent(const v1::GenerateResponse& event);

 private:
  absl::Status Text(v1::Arm arm, const std::string& text);
  absl::Status Summary(const v1::GenerationSummary& summary);

  const CliOptions& options_;
  bool two_arms_;
  std::string baseline_, steered_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_CLIENT_CLI_OUTPUT_H_
