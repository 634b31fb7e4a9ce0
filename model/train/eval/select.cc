#include "model/train/eval/select.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/train/eval/report.h"

namespace alignsae {

bool Beats(const Candidate& candidate, const Candidate& best, double margin) {
  return candidate.whole > best.whole + (best.whole < 0 ? 0 : margin);
}

absl::StatusOr<Candidate> TrySteering(EvalSubject& subject,
                                      const Steering& steering,
                                      const EvalOptions& options,
                                      const EvalReporter& report) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<double> alphas,
                            ParseAlphas(options.alphas));
  const std::string hook =
      subject.saes()[steering.checkpoint].config().hook.ToString();
  const absl::string_view mode = InterventionModeName(steering.mode);
  Candidate candidate;
  candidate.steering = steering;
  candidate.row = {{"hook", hook}, {"mode", mode}};
  const absl::StatusOr<SwapTable> table = MeasureSwaps(
      ContextOf(subject, options, report,
                absl::StrCat("choose ", hook, " ", mode)),
      PromptsOf(subject, options.select_sample, Split::kValidation), steering,
      alphas);
  // Such as a slot that never rises: it has no mean to steer with.
  if (absl::IsFailedPrecondition(table.status()) ||
      absl::IsInvalidArgument(table.status())) {
    candidate.row["refused"] = std::string(table.status().message());
    return candidate;
  }
  ALIGNSAE_RETURN_IF_ERROR(table.status());
  const size_t best = table->BestAlpha();
  const SuccessCounts counts = table->Total(best).all();
  candidate.alpha = alphas[best];
  candidate.whole = counts.Rate(counts.whole);
  candidate.row["alpha"] = alphas[best];
  candidate.row["whole"] = Rounded(candidate.whole);
  candidate.row["first"] = Rounded(counts.Rate(counts.first));
  return candidate;
}

absl::StatusOr<Candidate> BestSteering(EvalSubject& subject,
                                       const std::vector<Steering>& steerings,
                                       double margin,
                                       const EvalOptions& options,
                                       const EvalReporter& report,
                                       nlohmann::json& rows) {
  rows = nlohmann::json::array();
  Candidate best;
  for (const Steering& steering : steerings) {
    ALIGNSAE_ASSIGN_OR_RETURN(Candidate candidate,
                              TrySteering(subject, steering, options, report));
    rows.push_back(candidate.row);
    if (Beats(candidate, best, margin)) best = std::move(candidate);
  }
  if (best.whole < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "steering: must be possible with some mode, got ", rows.dump()));
  }
  return best;
}

absl::StatusOr<Candidate> SelectSteering(EvalSubject& subject,
                                         const EvalOptions& options,
                                         const EvalReporter& report,
                                         nlohmann::json& selection) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<InterventionMode> modes,
                            ParseModes(options.modes));
  std::vector<Steering> layers;
  for (size_t c = 0; c < subject.saes().size(); ++c) {
    layers.push_back(SteeringOf(subject, static_cast<int>(c), modes.front()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(Candidate best,
                            BestSteering(subject, layers, /*margin=*/0, options,
                                         report, selection["layers"]));
  selection["modes"] = nlohmann::json::array();
  for (size_t m = 1; m < modes.size(); ++m) {
    ALIGNSAE_ASSIGN_OR_RETURN(
        Candidate candidate,
        TrySteering(subject,
                    SteeringOf(subject, best.steering.checkpoint, modes[m]),
                    options, report));
    selection["modes"].push_back(candidate.row);
    if (Beats(candidate, best, kModeMargin)) best = std::move(candidate);
  }
  return best;
}

}  // namespace alignsae
