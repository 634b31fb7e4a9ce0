#include "client/cli/run.h"

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/edit_spec.h"
#include "client/cli/print_json.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

template <typename Response>
absl::Status Print(const CliOptions& options,
                   const absl::StatusOr<Response>& answer,
                   std::string (*render)(const Response&)) {
  if (!answer.ok()) return answer.status();
  if (options.json) return PrintJson(*answer, /*add_whitespace=*/true);
  std::fputs(render(*answer).c_str(), stdout);
  return absl::OkStatus();
}

// Prints deltas as they come. With one arm the text flows; with two, each arm's
// text is kept and printed when the stream ends, because lines would mix.
class StreamPrinter {
 public:
  explicit StreamPrinter(const CliOptions& options)
      : options_(options), two_arms_(options.both) {}

  absl::Status OnEvent(const v1::GenerateResponse& event) {
    if (options_.json) {
      absl::Status status = PrintJson(event, /*add_whitespace=*/false);
      std::fflush(stdout);
      return status;
    }
    if (event.has_token()) Text(event.token().arm(), event.token().text());
    if (event.has_arm_finished()) {
      Text(event.arm_finished().arm(), event.arm_finished().text_tail());
    }
    if (event.has_summary()) Summary(event.summary());
    return absl::OkStatus();
  }

 private:
  void Text(v1::Arm arm, const std::string& text) {
    (arm == v1::ARM_STEERED ? steered_ : baseline_) += text;
    if (two_arms_) return;
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }

  void Summary(const v1::GenerationSummary& summary) {
    if (two_arms_) {
      Table table({"arm", "text"});
      table.Add({"baseline", baseline_});
      table.Add({"steered", steered_});
      std::fputs(table.ToString().c_str(), stdout);
    }
    std::printf("\n%s", RenderSummary(summary).c_str());
  }

  const CliOptions& options_;
  bool two_arms_;
  std::string baseline_, steered_;
};

// The generation that a change has made.
template <typename Response>
std::string RenderNew(const Response& answer) {
  v1::ListCheckpointsResponse list;
  *list.add_generations() = answer.generation();
  return RenderGenerations(list);
}

}  // namespace

absl::Status RunModel(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::GetModelRequest request;
  request.set_model(options.model);
  return Print(options, client.GetModel(request), RenderModel);
}

absl::Status RunConcepts(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::ListConceptsRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  return Print(options, client.ListConcepts(request), RenderConcepts);
}

absl::Status RunTokenize(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::TokenizeRequest request;
  request.set_model(options.model);
  if (options.raw) {
    request.set_text(options.prompts.front());
  } else {
    request.set_question(options.prompts.front());
  }
  return Print(options, client.Tokenize(request), RenderTokens);
}

absl::Status RunRead(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::ReadConceptsRequest request;
  request.set_model(options.model);
  for (const std::string& text : options.prompts) {
    ALIGNSAE_ASSIGN_OR_RETURN(*request.add_prompts(),
                              MakePrompt(options, text));
  }
  request.set_checkpoint(options.checkpoint);
  if (options.position) request.set_position(*options.position);
  return Print(options, client.ReadConcepts(request), RenderReadings);
}

absl::Status RunInspect(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::InspectSlotsRequest request;
  request.set_model(options.model);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  if (!options.positions.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                              ParsePositions(options.positions));
  }
  if (options.top_k) request.set_top_k(*options.top_k);
  return Print(options, client.InspectSlots(request), RenderInspection);
}

absl::Status RunSwap(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::SwapRequest request;
  request.set_model(options.model);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  *request.mutable_target() = ParseConceptRef(options.target);
  if (options.alpha) request.set_alpha(*options.alpha);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  *request.mutable_generation() = MakeGeneration(options);
  return Print(options, client.Swap(request), RenderSwap);
}

absl::Status RunGenerate(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::GenerateRequest request;
  request.set_model(options.model);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
  request.set_checkpoint(options.checkpoint);
  for (const std::string& spec : options.edits) {
    ALIGNSAE_ASSIGN_OR_RETURN(v1::Intervention edit, ParseEditSpec(spec));
    ALIGNSAE_ASSIGN_OR_RETURN(*edit.mutable_positions(),
                              MakePositions(options));
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
  *request.mutable_generation() = MakeGeneration(options);
  StreamPrinter printer(options);
  absl::Status printed;
  absl::Status status =
      client.Generate(request, [&](const v1::GenerateResponse& event) {
        printed = printer.OnEvent(event);
        return printed.ok();
      });
  return printed.ok() ? status : printed;
}

// Cells come in any order; the table is printed when all are there.
absl::Status RunSweep(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  v1::SweepAlphaRequest request;
  request.set_model(options.model);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                            MakePrompt(options, options.prompts.front()));
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
  *request.mutable_generation() = MakeGeneration(options);
  std::vector<v1::SweepCell> cells;
  absl::Status printed;
  const absl::Status status =
      client.SweepAlpha(request, [&](const v1::SweepAlphaResponse& event) {
        if (options.json) printed = PrintJson(event, /*add_whitespace=*/false);
        if (event.has_cell()) cells.push_back(event.cell());
        return printed.ok();
      });
  if (!printed.ok()) return printed;
  if (status.ok() && !options.json) {
    std::fputs(RenderSweep(std::move(cells)).c_str(), stdout);
  }
  return status;
}

absl::Status RunCheckpoints(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::ListCheckpointsRequest request;
  request.set_model(options.model);
  return Print(options, client.ListCheckpoints(request), RenderGenerations);
}

absl::Status RunLoad(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::LoadCheckpointRequest request;
  request.set_model(options.model);
  request.set_bundle(options.bundle);
  request.set_sae(options.sae);
  request.set_name(options.name);
  return Print(options, client.LoadCheckpoint(request), RenderNew);
}

absl::Status RunUnload(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::UnloadCheckpointRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  return Print(options, client.UnloadCheckpoint(request), RenderNew);
}

absl::Status RunReload(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, ConnectAsOperator(options));
  v1::ReloadModelRequest request;
  request.set_model(options.model);
  request.set_bundle(options.bundle);
  return Print(options, client.ReloadModel(request), RenderNew);
}

}  // namespace alignsae
