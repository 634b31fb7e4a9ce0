#include "server/api/parse_parts.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

absl::Status CheckIds(absl::Span<const int32_t> ids, absl::string_view field,
                      const ParseEnv& env) {
  const int vocabulary = env.catalog->model.vocab_size;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocabulary) {
      return Invalid(absl::StrCat(field, "[", i, "]"),
                     absl::StrCat("be in [0, ", vocabulary - 1, "]"), ids[i]);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<PositionSelection> ToSelection(
    const v1::PositionSelection& wire, absl::string_view field,
    PositionSelection::Prompt unspecified, int prompt_length) {
  PositionSelection selection;
  switch (wire.prompt()) {
    case v1::PROMPT_SELECTION_UNSPECIFIED:
      selection.prompt = unspecified;
      break;
    case v1::PROMPT_SELECTION_NONE:
      selection.prompt = PositionSelection::Prompt::kNone;
      break;
    case v1::PROMPT_SELECTION_LAST:
      selection.prompt = PositionSelection::Prompt::kLast;
      break;
    case v1::PROMPT_SELECTION_ALL:
      selection.prompt = PositionSelection::Prompt::kAll;
      break;
    case v1::PROMPT_SELECTION_LIST:
      selection.prompt = PositionSelection::Prompt::kList;
      break;
    case v1::PROMPT_SELECTION_WINDOW:
      selection.prompt = PositionSelection::Prompt::kWindow;
      break;
    default:
      return Invalid(absl::StrCat(field, ".prompt"),
                     "be NONE, LAST, ALL, LIST or WINDOW",
                     static_cast<int>(wire.prompt()));
  }
  if (selection.prompt != PositionSelection::Prompt::kList &&
      wire.positions_size() > 0) {
    return Invalid(absl::StrCat(field, ".positions"),
                   "be empty unless prompt is LIST",
                   absl::StrCat(wire.positions_size(), " of them"));
  }
  if (wire.positions_size() > 2 * prompt_length) {
    return Invalid(absl::StrCat(field, ".positions"),
                   absl::StrCat("hold at most two for each of the prompt's ",
                                prompt_length, " tokens"),
                   wire.positions_size());
  }
  if (selection.prompt != PositionSelection::Prompt::kWindow &&
      wire.has_window()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".window: must be absent unless prompt is WINDOW"));
  }
  selection.list.assign(wire.positions().begin(), wire.positions().end());
  selection.start = wire.window().start();
  selection.stop =
      wire.window().has_stop() ? wire.window().stop() : prompt_length;
  selection.generated = wire.generated();
  return selection;
}

}  // namespace

absl::Status CheckTextBytes(absl::string_view text, absl::string_view field,
                            const ParseEnv& env) {
  const size_t limit = static_cast<size_t>(env.limits->max_prompt_bytes);
  if (!text.empty() && text.size() <= limit) return absl::OkStatus();
  return Invalid(field, absl::StrCat("hold 1 to ", limit, " bytes"),
                 text.size());
}

absl::StatusOr<std::string> ApplyTemplate(absl::string_view question,
                                          absl::string_view field,
                                          const ParseEnv& env) {
  const std::string& prompt_template = env.catalog->model.prompt_template;
  if (prompt_template.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        field,
        ": must be sent to a model with a prompt template, got one "
        "without; send text"));
  }
  return absl::StrReplaceAll(prompt_template, {{"{question}", question}});
}

absl::StatusOr<std::vector<int32_t>> ParsePrompt(const v1::Prompt& prompt,
                                                 absl::string_view field,
                                                 const ParseEnv& env) {
  std::vector<int32_t> ids;
  switch (prompt.input_case()) {
    case v1::Prompt::kText: {
      ALIGNSAE_RETURN_IF_ERROR(
          CheckTextBytes(prompt.text(), absl::StrCat(field, ".text"), env));
      ids = env.tokenizer->Encode(prompt.text());
      break;
    }
    case v1::Prompt::kQuestion: {
      const std::string name = absl::StrCat(field, ".question");
      ALIGNSAE_RETURN_IF_ERROR(CheckTextBytes(prompt.question(), name, env));
      ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                                ApplyTemplate(prompt.question(), name, env));
      ids = env.tokenizer->Encode(text);
      break;
    }
    case v1::Prompt::kTokenIds:
      ids.assign(prompt.token_ids().ids().begin(),
                 prompt.token_ids().ids().end());
      break;
    case v1::Prompt::INPUT_NOT_SET:
      return Invalid(field, "set one of text, question and token_ids", "none");
  }
  const int context = env.catalog->model.context_length;
  if (ids.empty()) {
    return Invalid(absl::StrCat(field, ".token_ids.ids"),
                   absl::StrCat("hold 1 to ", context, " ids"), "none");
  }
  if (ids.size() > static_cast<size_t>(context)) {
    return WithReason(
        Invalid(field, absl::StrCat("have at most ", context, " tokens"),
                absl::StrCat(ids.size(), "; nothing is cut")),
        kReasonPromptTooLong);
  }
  ALIGNSAE_RETURN_IF_ERROR(
      CheckIds(ids, absl::StrCat(field, ".token_ids.ids"), env));
  return ids;
}

absl::StatusOr<int> FindCheckpoint(absl::string_view name,
                                   absl::string_view field,
                                   const ParseEnv& env) {
  const std::vector<CheckpointInfo>& all = env.catalog->checkpoints;
  if (all.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(field, ": must be loaded, got a server without any"));
  }
  if (name.empty()) return 0;
  if (const std::optional<int> index =
          env.catalog->FindCheckpoint(std::string(name))) {
    return *index;
  }
  return absl::NotFoundError(absl::StrCat(
      field, ": must be one of ",
      absl::StrJoin(all, ", ",
                    [](std::string* out, const CheckpointInfo& checkpoint) {
                      absl::StrAppend(out, checkpoint.name);
                    }),
      ", got ", Quoted(name)));
}

absl::Status CheckHasConcepts(int checkpoint, absl::string_view field,
                              const ParseEnv& env) {
  const CheckpointInfo& info = env.catalog->checkpoints[checkpoint];
  if (!info.concepts.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(field, ": must have concepts to read, got ", info.name,
                   ", which has none"));
}

absl::StatusOr<ResolvedPositions> ParsePositions(
    const v1::PositionSelection& wire, absl::string_view field,
    PositionSelection::Prompt unspecified, int prompt_length) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      const PositionSelection selection,
      ToSelection(wire, field, unspecified, prompt_length));
  absl::StatusOr<ResolvedPositions> resolved =
      ResolvePositions(selection, prompt_length);
  if (resolved.ok()) return resolved;
  // It says "positions" and "positions.list" for what the wire calls `field`
  // and its `positions`.
  absl::string_view message = resolved.status().message();
  absl::ConsumePrefix(&message, "positions");
  std::string sentence = absl::StrCat(field, message);
  return absl::InvalidArgumentError(
      absl::StrReplaceAll(sentence, {{".list", ".positions"}}));
}

absl::Status CheckReplyBytes(int64_t bytes, absl::string_view field,
                             const ParseEnv& env) {
  const int limit = env.limits->max_send_message_bytes;
  if (bytes <= limit) return absl::OkStatus();
  return WithReason(
      Invalid(field, absl::StrCat("keep the answer within ", limit, " bytes"),
              absl::StrCat("about ", bytes, "; ask for less")),
      kReasonReplyTooLarge);
}

}  // namespace alignsae
