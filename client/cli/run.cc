#include "client/cli/run.h"

#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/batch.h"
#include "client/cli/edit_spec.h"
#include "client/cli/hints.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/saved_answer.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// Tells of strengths that cannot be expected to work; nothing where the server
// does not answer.
void TellHints(const CliOptions& options, Client& client,
               const std::vector<v1::Intervention>& edits) {
  bool strength = false;
  for (const v1::Intervention& edit : edits) strength |= edit.has_alpha();
  if (!strength) return;
  v1::ListConceptsRequest request;
  request.set_model(options.model);
  const absl::StatusOr<v1::ListConceptsResponse> concepts =
      client.ListConcepts(request);
  if (!concepts.ok()) return;
  const Look look = LookOf(stderr);
  for (const std::string& hint :
       AlphaHints(*concepts, options.checkpoint, edits)) {
    std::fprintf(
        stderr, "alignsae: %s\n",
        Styled("hint: " + Printable(hint), Style::kYellow, look).c_str());
  }
}

absl::StatusOr<v1::SwapRequest> MakeSwap(const CliOptions& options) {
  v1::SwapRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  *request.mutable_target() = ParseConceptRef(options.target);
  if (options.alpha) request.set_alpha(*options.alpha);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  SetWhen(options.when, request);
  if (const auto guard = MakeGuard(options)) *request.mutable_guard() = *guard;
  request.set_side_effects(options.side_effects);
  *request.mutable_generation() = MakeGeneration(options);
  return request;
}

absl::StatusOr<v1::GenerateRequest> MakeGenerate(const CliOptions& options) {
  v1::GenerateRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  for (const std::string& spec : options.edits) {
    ALIGNSAE_ASSIGN_OR_RETURN(v1::Intervention edit, ParseEditSpec(spec));
    ALIGNSAE_ASSIGN_OR_RETURN(*edit.mutable_positions(),
                              MakePositions(options));
    SetWhen(options.when, edit);
    *request.add_interventions() = std::move(edit);
  }
  for (const std::string& json : options.edits_json) {
    ALIGNSAE_ASSIGN_OR_RETURN(v1::Intervention edit, ParseEditJson(json));
    if (!edit.has_positions()) {
      ALIGNSAE_ASSIGN_OR_RETURN(*edit.mutable_positions(),
                                MakePositions(options));
    }
    *request.add_interventions() = std::move(edit);
  }
  if (options.both) request.set_arms(v1::ARM_SELECTION_BOTH);
  if (const auto guard = MakeGuard(options)) *request.mutable_guard() = *guard;
  request.set_side_effects(options.side_effects);
  *request.mutable_generation() = MakeGeneration(options);
  return request;
}

absl::StatusOr<v1::SweepAlphaRequest> MakeSweep(const CliOptions& options) {
  v1::SweepAlphaRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  // The mode's name as in --edit.
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::Intervention any,
                            ParseEditSpec(absl::StrCat(options.mode, ":any")));
  request.set_mode(any.mode());
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  for (const std::string& target : options.targets) {
    *request.add_targets() = ParseConceptRef(target);
  }
  request.mutable_alphas()->Assign(options.alphas.begin(),
                                   options.alphas.end());
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  SetWhen(options.when, request);
  *request.mutable_generation() = MakeGeneration(options);
  return request;
}

// Cells come in any order; the table is printed when all are there.
absl::Status SweepOne(const CliOptions& options, Client& client,
                      const v1::SweepAlphaRequest& request) {
  SavedSweep saved;
  saved.request = request;
  absl::Status printed;
  const absl::Status status =
      client.SweepAlpha(request, [&](const v1::SweepAlphaResponse& event) {
        if (options.json) printed = PrintJson(event, /*indented=*/false);
        saved.Add(event);
        return printed.ok();
      });
  ALIGNSAE_RETURN_IF_ERROR(printed);
  ALIGNSAE_RETURN_IF_ERROR(status);
  ALIGNSAE_RETURN_IF_ERROR(SaveAnswer(options.save, client, saved));
  if (options.json) return absl::OkStatus();
  std::vector<v1::SweepCell> cells;
  for (const auto& [index, cell] : saved.answer.cells) cells.push_back(cell);
  return PrintText(RenderSweep(std::move(cells), LookOf(stdout)));
}

// What the checkpoint that answered was trained on.
v1::TrainedPositions TrainedOf(const CliOptions& options, Client& client,
                               const std::string& checkpoint) {
  v1::GetModelRequest request;
  request.set_model(options.model);
  const absl::StatusOr<v1::GetModelResponse> model = client.GetModel(request);
  if (!model.ok()) return v1::TRAINED_POSITIONS_UNSPECIFIED;
  for (const v1::Checkpoint& each : model->checkpoints()) {
    if (each.name() == checkpoint) return each.trained_positions();
  }
  return v1::TRAINED_POSITIONS_UNSPECIFIED;
}

std::string NamesOf(const v1::ListConceptsResponse& answer) {
  std::string out;
  for (const v1::CheckpointConcepts& entry : answer.checkpoints()) {
    for (const v1::Concept& each : entry.concepts()) {
      absl::StrAppend(&out, Printable(each.name()), "\n");
    }
  }
  return out;
}

}  // namespace

absl::Status RunModel(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::GetModelRequest request;
  request.set_model(options.model);
  return PrintAnswer(options, client.GetModel(request), RenderModel);
}

absl::Status RunConcepts(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::ListConceptsRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  const absl::StatusOr<v1::ListConceptsResponse> answer =
      client.ListConcepts(request);
  if (answer.ok() && options.names) return PrintText(NamesOf(*answer));
  return PrintAnswer(options, answer, RenderConcepts);
}

absl::Status RunTokenize(const CliOptions& options) {
  return ForEachPrompt(options, [&](Client& client, const std::string& text) {
    v1::TokenizeRequest request;
    request.set_model(options.model);
    if (options.raw) {
      request.set_text(text);
    } else {
      request.set_question(text);
    }
    return PrintAnswer(options, client.Tokenize(request), RenderTokens);
  });
}

absl::Status RunRead(const CliOptions& options) {
  const auto read = [&](Client& client,
                        const std::vector<std::string>& texts) -> absl::Status {
    v1::ReadConceptsRequest request;
    request.set_model(options.model);
    for (const std::string& text : texts) {
      ALIGNSAE_ASSIGN_OR_RETURN(*request.add_prompts(),
                                MakePrompt(options, text));
    }
    request.set_checkpoint(options.checkpoint);
    if (options.position) request.set_position(*options.position);
    request.set_position_text(options.at_text);
    if (!options.span.empty()) {
      request.set_span_reading(options.span == "mean" ? v1::SPAN_READING_MEAN
                                                      : v1::SPAN_READING_LAST);
    }
    return PrintAnswer(options, client.ReadConcepts(request), RenderReadings);
  };
  if (!options.file.empty()) {
    return ForEachPrompt(options, [&](Client& client, const std::string& text) {
      return read(client, {text});
    });
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            AllPrompts(options));
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  return read(client, texts);
}

absl::Status RunInspect(const CliOptions& options) {
  return ForEachPrompt(
      options, [&](Client& client, const std::string& text) -> absl::Status {
        v1::InspectSlotsRequest request;
        request.set_model(options.model);
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        request.set_checkpoint(options.checkpoint);
        if (!options.positions.empty()) {
          ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                                    ParsePositions(options.positions));
        }
        if (options.top_k) request.set_top_k(*options.top_k);
        return PrintAnswer(
            options, client.InspectSlots(request),
            [&](const v1::InspectSlotsResponse& answer, const Look& look) {
              return RenderInspection(
                  answer,
                  TrainedOf(options, client, answer.info().checkpoint()), look);
            });
      });
}

absl::Status RunSwap(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(v1::SwapRequest request, MakeSwap(options));
  v1::Intervention edit;
  edit.set_mode(v1::INTERVENTION_MODE_SWAP);
  *edit.mutable_target() = request.target();
  if (options.alpha) edit.set_alpha(*options.alpha);
  return ForEachPrompt(
      options,
      [&](Client& client, const std::string& text) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        const absl::StatusOr<v1::SwapResponse> answer = client.Swap(request);
        if (answer.ok()) {
          ALIGNSAE_RETURN_IF_ERROR(
              SaveAnswer(options.save, client, SavedSwap{request, *answer}));
        }
        return PrintAnswer(options, answer, RenderSwap);
      },
      [&](Client& client) { TellHints(options, client, {edit}); });
}

absl::Status RunGenerate(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(v1::GenerateRequest request, MakeGenerate(options));
  return ForEachPrompt(
      options,
      [&](Client& client, const std::string& text) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        StreamPrinter printer(options);
        absl::Status printed;
        SavedComplete saved(request);
        const absl::Status status =
            client.Generate(request, [&](const v1::GenerateResponse& event) {
              saved.Add(event);
              printed = printer.OnEvent(event);
              return printed.ok();
            });
        ALIGNSAE_RETURN_IF_ERROR(printed);
        ALIGNSAE_RETURN_IF_ERROR(status);
        return SaveAnswer(options.save, client, saved);
      },
      [&](Client& client) {
        TellHints(
            options, client,
            {request.interventions().begin(), request.interventions().end()});
      });
}

absl::Status RunSweep(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(v1::SweepAlphaRequest request, MakeSweep(options));
  return ForEachPrompt(
      options, [&](Client& client, const std::string& text) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        return SweepOne(options, client, request);
      });
}

}  // namespace alignsae
