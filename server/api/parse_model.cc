#include "server/api/parse_model.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "server/api/parse_parts.h"

namespace alignsae {
namespace {

constexpr int kMaxDetokenizeIds = 65536;

absl::StatusOr<FilledTemplate> QuestionText(absl::string_view question,
                                            const ParseEnv& env) {
  ALIGNSAE_RETURN_IF_ERROR(CheckTextBytes(question, env));
  return ApplyTemplate(question, env);
}

}  // namespace

absl::StatusOr<ParsedText> ParseTokenize(const v1::TokenizeRequest& wire,
                                         const ParseEnv& env) {
  ParsedText parsed;
  parsed.parse_special = wire.parse_special();
  switch (wire.input_case()) {
    case v1::TokenizeRequest::kText:
      ALIGNSAE_RETURN_IF_ERROR(
          InField("text", CheckTextBytes(wire.text(), env)));
      parsed.text = wire.text();
      return parsed;
    case v1::TokenizeRequest::kQuestion: {
      ALIGNSAE_ASSIGN_OR_RETURN(
          FilledTemplate prompt,
          InField("question", QuestionText(wire.question(), env)));
      parsed.text = std::move(prompt.text);
      parsed.of_template = std::move(prompt.of_template);
      return parsed;
    }
    case v1::TokenizeRequest::INPUT_NOT_SET:
      break;
  }
  return InvalidField("input", "set one of text and question", "none");
}

absl::StatusOr<std::vector<int32_t>> ParseDetokenize(
    const v1::DetokenizeRequest& wire, const ParseEnv& env) {
  if (wire.token_ids_size() < 1 || wire.token_ids_size() > kMaxDetokenizeIds) {
    return InvalidField("token_ids",
                        absl::StrCat("hold 1 to ", kMaxDetokenizeIds, " ids"),
                        wire.token_ids_size());
  }
  // What the model can generate: more than the tokenizer has where its weights
  // are padded.
  const int vocabulary = env.catalog->model.vocab_size;
  for (int i = 0; i < wire.token_ids_size(); ++i) {
    if (wire.token_ids(i) >= 0 && wire.token_ids(i) < vocabulary) continue;
    return InvalidField(Indexed("token_ids", i),
                        absl::StrCat("be in [0, ", vocabulary - 1, "]"),
                        wire.token_ids(i));
  }
  return std::vector<int32_t>(wire.token_ids().begin(), wire.token_ids().end());
}

absl::StatusOr<std::vector<int>> ParseListConcepts(
    const v1::ListConceptsRequest& wire, const ParseEnv& env) {
  if (wire.checkpoint().empty()) {
    std::vector<int> all(env.catalog->checkpoints.size());
    std::iota(all.begin(), all.end(), 0);
    return all;
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const int checkpoint,
      InField("checkpoint", FindCheckpoint(wire.checkpoint(), env)));
  return std::vector<int>{checkpoint};
}

}  // namespace alignsae
