#include "server/api/matrix_stream.h"

#include <utility>

#include "model/base/answer_match.h"
#include "model/base/random_id.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

v1::ConceptLabel LabelOf(
    const google::protobuf::RepeatedPtrField<v1::ConceptLabel>& labels,
    int slot) {
  for (const v1::ConceptLabel& label : labels) {
    if (label.slot() == slot) return label;
  }
  v1::ConceptLabel none;  // A feature that is no concept.
  none.set_slot(slot);
  return none;
}

}  // namespace

absl::StatusOr<RequestSpec> MatrixStream::Parse(
    const CallScope& scope, v1::SwapMatrixResponse* started) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedMatrix parsed,
      ParseSwapMatrix(*request_, scope.parse_env(), RandomUint64()));
  v1::SwapMatrixStarted* first = started->mutable_started();
  Start(std::move(parsed.asked), parsed.spec, first);
  places_ = std::move(parsed.cells);
  swapped_ = std::move(parsed.swapped);
  for (const SwappedConcept& each : swapped_) {
    *first->add_swapped() = LabelOf(first->concepts(), each.slot);
  }
  return std::move(parsed.spec);
}

void MatrixStream::RenderCell(int index, v1::ArmResult answer,
                              v1::SwapMatrixResponse* message) {
  const MatrixPlace& place = places_[index];
  v1::SwapMatrixCell* cell = message->mutable_cell();
  cell->set_index(index);
  cell->set_baseline(place.source < 0);
  *cell->mutable_result() = std::move(answer);
  if (place.source < 0) return;
  cell->set_source_index(place.source);
  cell->set_target_index(place.target);
  const v1::InterventionReceipt& receipt = cell->result().receipts(0);
  cell->set_source(receipt.source_concept());
  cell->set_target(receipt.target_concept());
  const SwappedConcept& target = swapped_[place.target];
  if (!target.answer.has_value()) return;
  cell->set_matches(WholeAnswerMatches(*target.answer, cell->result().text()));
  ++expected_;
  matched_ += cell->matches() ? 1 : 0;
}

void MatrixStream::RenderSummary(v1::SwapMatrixResponse* message) {
  v1::SwapMatrixSummary* summary = message->mutable_summary();
  FillSummary(summary);
  summary->set_expected_count(expected_);
  summary->set_matched_count(matched_);
}

}  // namespace alignsae
