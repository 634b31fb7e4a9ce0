// libFuzzer target: the body of a completion takes any bytes. What it accepts
// is within the limits, and a refusal names a field.

#include <cstdint>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/http/openai_request.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  alignsae::Limits limits;
  limits.max_prompts_per_batch = 4;
  limits.max_prompt_bytes = 256;
  const auto asked = alignsae::ParseCompletion(
      absl::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (!asked.ok()) {
    if (!absl::IsInvalidArgument(asked.status()) ||
        asked.status().message().find(": must ") == absl::string_view::npos) {
      std::abort();
    }
    return 0;
  }
  if (asked->choices.empty() || asked->choices.size() > 4 ||
      asked->prompts < 1) {
    std::abort();
  }
  for (const alignsae::AskedChoice& choice : asked->choices) {
    const alignsae::v1::CompleteRequest& request = choice.request;
    if (choice.prompt < 0 || choice.prompt >= asked->prompts ||
        request.prompt().input_case() == alignsae::v1::Prompt::INPUT_NOT_SET ||
        request.prompt().text().size() > 256 ||
        request.prompt().token_ids().ids_size() > 256 ||
        request.generation().max_new_tokens() < 1) {
      std::abort();
    }
    alignsae::v1::CompleteRequest same;  // The two have the same fields.
    if (!same.ParseFromString(
            alignsae::ToGenerate(request).SerializeAsString()) ||
        same.ByteSizeLong() != request.ByteSizeLong()) {
      std::abort();
    }
  }
  return 0;
}
