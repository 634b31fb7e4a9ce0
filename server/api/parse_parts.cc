#include "server/api/parse_parts.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"
#include "model/tokenizer/text_span.h"

namespace alignsae {
namespace {

absl::Status CheckIds(const std::vector<int32_t>& ids, const ParseEnv& env) {
  const int vocabulary = env.catalog->model.vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && ids[i] < vocabulary) continue;
    return InvalidField(Indexed("token_ids.ids", i),
                        absl::StrCat("be in [0, ", vocabulary - 1, "]"),
                        ids[i]);
  }
  return absl::OkStatus();
}

// The prompt of a text's ids.
std::vector<int32_t> WithBos(std::vector<int32_t> ids, const ParseEnv& env) {
  if (env.catalog->model.bos_token_id.has_value()) {
    ids.insert(ids.begin(), *env.catalog->model.bos_token_id);
  }
  return ids;
}

absl::StatusOr<std::vector<int32_t>> EncodeText(absl::string_view text,
                                                const ParseEnv& env) {
  ALIGNSAE_RETURN_IF_ERROR(CheckTextBytes(text, env));
  return WithBos(env.tokenizer->Encode(text), env);
}

absl::StatusOr<std::vector<int32_t>> EncodeQuestion(absl::string_view question,
                                                    const ParseEnv& env) {
  ALIGNSAE_RETURN_IF_ERROR(CheckTextBytes(question, env));
  ALIGNSAE_ASSIGN_OR_RETURN(const FilledTemplate prompt,
                            ApplyTemplate(question, env));
  return WithBos(
      env.tokenizer->Encode(prompt.text, {.special_in = prompt.of_template}),
      env);
}

absl::StatusOr<std::vector<int32_t>> IdsOf(const v1::Prompt& prompt,
                                           const ParseEnv& env) {
  switch (prompt.input_case()) {
    case v1::Prompt::kText:
      return InField("text", EncodeText(prompt.text(), env));
    case v1::Prompt::kQuestion:
      return InField("question", EncodeQuestion(prompt.question(), env));
    case v1::Prompt::kTokenIds:
      return std::vector<int32_t>(prompt.token_ids().ids().begin(),
                                  prompt.token_ids().ids().end());
    case v1::Prompt::INPUT_NOT_SET:
      break;
  }
  return InvalidField("", "set one of text, question and token_ids", "none");
}

}  // namespace

absl::Status CheckTextBytes(absl::string_view text, const ParseEnv& env) {
  const size_t limit = static_cast<size_t>(env.limits->max_prompt_bytes);
  if (!text.empty() && text.size() <= limit) return absl::OkStatus();
  return InvalidField("", absl::StrCat("hold 1 to ", limit, " bytes"),
                      text.size());
}

absl::StatusOr<FilledTemplate> ApplyTemplate(absl::string_view question,
                                             const ParseEnv& env) {
  const std::string& prompt_template = env.catalog->model.prompt_template;
  if (prompt_template.empty()) {
    return FieldStatus({"", "be sent to a model with a prompt template",
                        "one without; send text"},
                       absl::StatusCode::kFailedPrecondition);
  }
  return FillTemplate(prompt_template, question);
}

absl::StatusOr<std::vector<int32_t>> ParsePrompt(const v1::Prompt& prompt,
                                                 const ParseEnv& env) {
  ALIGNSAE_ASSIGN_OR_RETURN(std::vector<int32_t> ids, IdsOf(prompt, env));
  const int context = env.catalog->model.context_length;
  if (ids.empty()) {
    return InvalidField("token_ids.ids",
                        absl::StrCat("hold 1 to ", context, " ids"), "none");
  }
  if (ids.size() > static_cast<size_t>(context)) {
    return WithReason(
        InvalidField("", absl::StrCat("have at most ", context, " tokens"),
                     absl::StrCat(ids.size(), "; nothing is cut")),
        kReasonPromptTooLong);
  }
  ALIGNSAE_RETURN_IF_ERROR(CheckIds(ids, env));
  return ids;
}

absl::StatusOr<int> FindCheckpoint(absl::string_view name,
                                   const ParseEnv& env) {
  const std::vector<CheckpointInfo>& all = env.catalog->checkpoints;
  if (all.empty()) {
    return FieldStatus({"", "be loaded", "a server without any"},
                       absl::StatusCode::kFailedPrecondition);
  }
  if (name.empty()) return env.default_checkpoint;
  if (const std::optional<int> index =
          env.catalog->FindCheckpoint(std::string(name))) {
    return *index;
  }
  const std::string names = absl::StrJoin(
      all, ", ", [](std::string* out, const CheckpointInfo& checkpoint) {
        absl::StrAppend(out, checkpoint.name);
      });
  return FieldStatus({"", absl::StrCat("be one of ", names), Quoted(name)},
                     absl::StatusCode::kNotFound);
}

absl::Status CheckHasConcepts(int checkpoint, const ParseEnv& env) {
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  if (!info.concepts.empty()) return absl::OkStatus();
  return FieldStatus({"", "have concepts to read",
                      absl::StrCat(info.name, ", which has none")},
                     absl::StatusCode::kFailedPrecondition);
}

absl::StatusOr<ReadPosition> ParseReadPosition(
    std::optional<int> position, const std::string& text,
    const std::vector<int32_t>& prompt, absl::string_view name,
    const ParseEnv& env) {
  const int length = static_cast<int>(prompt.size());
  ReadPosition read;
  if (!text.empty()) {
    if (position.has_value()) {
      return InvalidField("position", "be absent beside position_text",
                          *position);
    }
    ALIGNSAE_ASSIGN_OR_RETURN(
        const TextSpan span,
        InField("position_text", FindTextSpan(text, prompt, *env.tokenizer)));
    for (int i = span.start; i < span.stop; ++i) read.span.push_back(i);
    return read;
  }
  const int wanted = position.value_or(-1);
  if (wanted < -length || wanted >= length) {
    return InvalidField("position",
                        absl::StrCat("be in [", -length, ", ", length - 1, "]"),
                        absl::StrCat(wanted, "; ", name, " has ", length,
                                     length == 1 ? " token" : " tokens"));
  }
  read.span = {wanted < 0 ? wanted + length : wanted};
  return read;
}

bool ReadsSpans(int checkpoint, const ParseEnv& env) {
  return env.catalog->checkpoints[checkpoint].trained ==
         TrainedPositions::kSpan;
}

}  // namespace alignsae
