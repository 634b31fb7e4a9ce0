// `alignsae matrix` and `alignsae find-alpha`: many strengths or pairs of one
// prompt.

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/batch.h"
#include "client/cli/edit_spec.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/run.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

absl::StatusOr<v1::SwapMatrixRequest> MakeMatrix(const CliOptions& options) {
  v1::SwapMatrixRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  for (const std::string& each : options.targets) {
    *request.add_concepts() = ParseConceptRef(each);
  }
  if (options.alpha) request.set_alpha(*options.alpha);
  for (const std::string& spec : options.expected) {
    if (const auto expected = ParseExpected(spec)) {
      (*request.mutable_targets())[expected->first] = expected->second;
    }
  }
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  SetWhen(options.when, request);
  *request.mutable_generation() = MakeGeneration(options);
  return request;
}

absl::StatusOr<v1::FindAlphaRequest> MakeFindAlpha(const CliOptions& options) {
  v1::FindAlphaRequest request;
  request.set_model(options.model);
  request.set_checkpoint(options.checkpoint);
  // The mode's name as in --edit.
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::Intervention any,
                            ParseEditSpec(absl::StrCat(options.mode, ":any")));
  request.set_mode(any.mode());
  if (!options.source.empty()) {
    *request.mutable_source() = ParseConceptRef(options.source);
  }
  *request.mutable_target() = ParseConceptRef(options.target);
  if (options.goal_answer) {
    request.mutable_goal()->set_answer(*options.goal_answer);
  } else if (options.goal_token) {
    request.mutable_goal()->set_first_token(*options.goal_token);
  } else if (options.goal_on_top) {
    request.mutable_goal()->set_target_on_top(true);
  }
  if (const auto guard = MakeGuard(options)) *request.mutable_guard() = *guard;
  if (options.min_alpha) request.set_min_alpha(*options.min_alpha);
  if (options.max_alpha) request.set_max_alpha(*options.max_alpha);
  if (options.precision) request.set_precision(*options.precision);
  if (options.max_tries) request.set_max_tries(*options.max_tries);
  ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_positions(),
                            MakePositions(options));
  SetWhen(options.when, request);
  *request.mutable_generation() = MakeGeneration(options);
  return request;
}

// Cells come in any order; the table is printed when all are there.
absl::Status MatrixOf(const CliOptions& options, Client& client,
                      const v1::SwapMatrixRequest& request) {
  std::vector<v1::SwapMatrixCell> cells;
  v1::SwapMatrixSummary summary;
  absl::Status printed;
  const absl::Status status =
      client.SwapMatrix(request, [&](const v1::SwapMatrixResponse& event) {
        if (options.json) printed = PrintJson(event, /*indented=*/false);
        if (event.has_cell()) cells.push_back(event.cell());
        if (event.has_summary()) summary = event.summary();
        return printed.ok();
      });
  ALIGNSAE_RETURN_IF_ERROR(printed);
  ALIGNSAE_RETURN_IF_ERROR(status);
  return options.json ? absl::OkStatus()
                      : PrintText(RenderMatrix(std::move(cells), summary,
                                               LookOf(stdout)));
}

}  // namespace

absl::Status RunMatrix(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(v1::SwapMatrixRequest request, MakeMatrix(options));
  return ForEachPrompt(
      options, [&](Client& client, const std::string& text) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        return MatrixOf(options, client, request);
      });
}

absl::Status RunFindAlpha(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(v1::FindAlphaRequest request,
                            MakeFindAlpha(options));
  return ForEachPrompt(
      options, [&](Client& client, const std::string& text) -> absl::Status {
        ALIGNSAE_ASSIGN_OR_RETURN(*request.mutable_prompt(),
                                  MakePrompt(options, text));
        return PrintAnswer(options, client.FindAlpha(request),
                           RenderFoundAlpha);
      });
}

}  // namespace alignsae
