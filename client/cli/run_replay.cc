// `alignsae replay`: a saved answer once more, by the same bundle.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/compare_answers.h"
#include "client/cli/output.h"
#include "client/cli/run.h"
#include "client/cli/saved_answer.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

absl::Status Other(const std::string& what, const std::string& saved,
                   const std::string& served) {
  if (saved == served) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": must be what answered, ", saved, ", got ",
                   served.empty() ? "none" : served));
}

// The model and the checkpoints of then are those of now.
absl::Status CheckServed(const v1::GetModelResponse& saved,
                         const v1::GetModelResponse& served) {
  ALIGNSAE_RETURN_IF_ERROR(
      Other("model.sha256", saved.model().sha256(), served.model().sha256()));
  ALIGNSAE_RETURN_IF_ERROR(Other("model.bundle_sha256",
                                 saved.model().bundle_sha256(),
                                 served.model().bundle_sha256()));
  ALIGNSAE_RETURN_IF_ERROR(
      Other("model.dtype", saved.model().dtype(), served.model().dtype()));
  for (const v1::Checkpoint& checkpoint : saved.checkpoints()) {
    std::string now;
    for (const v1::Checkpoint& other : served.checkpoints()) {
      if (other.name() == checkpoint.name()) now = other.sha256();
    }
    ALIGNSAE_RETURN_IF_ERROR(
        Other(absl::StrCat("checkpoint ", checkpoint.name(), ".sha256"),
              checkpoint.sha256(), now));
  }
  return absl::OkStatus();
}

std::vector<v1::ArmResult> ArmsOf(const v1::SwapResponse& answer) {
  return {answer.baseline(), answer.steered()};
}
std::vector<v1::ArmResult> ArmsOf(const v1::CompleteResponse& answer) {
  return {answer.arms().begin(), answer.arms().end()};
}
// An arm for each cell, by its index.
std::vector<v1::ArmResult> ArmsOf(const SavedSweep::Answer& answer) {
  std::vector<v1::ArmResult> arms;
  for (const auto& [index, cell] : answer.cells) arms.push_back(cell.result());
  return arms;
}

std::string ReceiptOf(const std::vector<v1::ArmResult>& arms) {
  for (const v1::ArmResult& arm : arms) {
    for (const v1::InterventionReceipt& receipt : arm.receipts()) {
      // Empty: of a server before it had them.
      if (!receipt.receipt_id().empty()) return receipt.receipt_id();
    }
  }
  return "none";
}

absl::Status Tell(const std::vector<v1::ArmResult>& saved,
                  const std::vector<v1::ArmResult>& again) {
  const AnswerDifference difference = CompareArms(saved, again);
  if (!difference.what.empty()) {
    return absl::AbortedError(absl::StrCat("replay: ", difference.what));
  }
  return PrintText(absl::StrCat(
      "the same: ", saved.size(), saved.size() == 1 ? " arm, " : " arms, ",
      difference.tokens, " tokens; logprobs differ by at most ",
      difference.largest_logprob, "; receipt ", Printable(ReceiptOf(saved)),
      ", now ", Printable(ReceiptOf(again)), "\n"));
}

absl::StatusOr<std::vector<v1::ArmResult>> Again(Client& client,
                                                 const SavedSwap& saved) {
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::SwapResponse answer,
                            client.Swap(ReplayOf(saved)));
  return ArmsOf(answer);
}
absl::StatusOr<std::vector<v1::ArmResult>> Again(Client& client,
                                                 const SavedComplete& saved) {
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::CompleteResponse answer,
                            client.Complete(ReplayOf(saved)));
  return ArmsOf(answer);
}
absl::StatusOr<std::vector<v1::ArmResult>> Again(Client& client,
                                                 const SavedSweep& saved) {
  SavedSweep again;
  ALIGNSAE_RETURN_IF_ERROR(client.SweepAlpha(
      ReplayOf(saved), [&again](const v1::SweepAlphaResponse& event) {
        again.Add(event);
        return true;
      }));
  return ArmsOf(again.answer);
}

}  // namespace

absl::Status RunReplay(const CliOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const SavedAnswer saved,
                            ReadSavedAnswer(options.saved));
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  return std::visit(
      [&](const auto& call) -> absl::Status {
        v1::GetModelRequest asked;
        asked.set_model(call.request.model());
        ALIGNSAE_ASSIGN_OR_RETURN(const v1::GetModelResponse served,
                                  client.GetModel(asked));
        ALIGNSAE_RETURN_IF_ERROR(CheckServed(saved.model, served));
        ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<v1::ArmResult> again,
                                  Again(client, call));
        return Tell(ArmsOf(call.answer), again);
      },
      saved.call);
}

}  // namespace alignsae
