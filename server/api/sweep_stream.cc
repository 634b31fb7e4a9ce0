#include "server/api/sweep_stream.h"

#include <utility>

#include "model/base/random_id.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::StatusOr<RequestSpec> SweepStream::Parse(
    const CallScope& scope, v1::SweepAlphaResponse* started) {
  ALIGNSAE_ASSIGN_OR_RETURN(
      ParsedSweep parsed,
      ParseSweepAlpha(*request_, scope.parse_env(), RandomUint64()));
  Start(std::move(parsed.asked), parsed.spec, started->mutable_started());
  places_ = std::move(parsed.cells);
  return std::move(parsed.spec);
}

void SweepStream::RenderCell(int index, v1::ArmResult answer,
                             v1::SweepAlphaResponse* message) {
  const SweepPlace& place = places_[index];
  v1::SweepCell* cell = message->mutable_cell();
  cell->set_index(index);
  cell->set_baseline(place.target < 0);
  if (place.target >= 0) {
    cell->set_target_index(place.target);
    cell->set_alpha_index(place.alpha);
    cell->set_alpha(request_->alphas(place.alpha));
  }
  *cell->mutable_result() = std::move(answer);
  if (cell->result().receipts_size() > 0) {
    cell->set_target(cell->result().receipts(0).target_concept());
  }
}

void SweepStream::RenderSummary(v1::SweepAlphaResponse* message) {
  FillSummary(message->mutable_summary());
}

}  // namespace alignsae
