#include "model/train/common/readouts.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/scheduler/mean_reading.h"
#include "model/train/common/run_requests.h"

namespace alignsae {
namespace {

RequestSpec ReadoutOf(const ReadPlace& place, int checkpoint) {
  SequenceSpec sequence;
  sequence.prompt.assign(place.tokens.begin(), place.tokens.end());
  sequence.interventions = std::make_shared<const std::vector<Intervention>>();
  sequence.observations.push_back(
      {.checkpoint = checkpoint, .positions = place.positions});
  RequestSpec request;
  request.sequences.push_back(std::move(sequence));
  return request;
}

// Keeps the reading of a request, or why there is none.
class ReadingSink : public RequestSink {
 public:
  ReadingSink(absl::Span<const Concept> concepts, ConceptReading& reading,
              absl::Status& status)
      : concepts_(concepts), reading_(reading), status_(status) {}

  bool Deliver(RequestEvent event) override {
    if (auto* finished = std::get_if<SequenceFinished>(&event)) {
      if (!finished->readings.empty()) {
        reading_ = MeanReading(finished->readings, concepts_);
      } else {
        status_.Update(absl::InternalError("readout: must give a reading"));
      }
    } else if (auto* done = std::get_if<RequestDone>(&event)) {
      status_.Update(done->status);
    }
    return true;
  }

 private:
  absl::Span<const Concept> concepts_;
  ConceptReading& reading_;
  absl::Status& status_;
};

}  // namespace

absl::StatusOr<std::vector<ConceptReading>> ReadEach(
    StepExecutor& executor, std::shared_ptr<const Catalog> catalog,
    int checkpoint, absl::Span<const ReadPlace> places) {
  const int checkpoints = static_cast<int>(catalog->checkpoints.size());
  if (checkpoint < 0 || checkpoint >= checkpoints) {
    return absl::NotFoundError(absl::StrCat("checkpoint: must be below ",
                                            checkpoints, ", got ", checkpoint));
  }
  const std::vector<Concept>& concepts =
      catalog->checkpoints[checkpoint].concepts;
  std::vector<ConceptReading> readings(places.size());
  size_t next = 0;
  absl::Status status;
  RequestCalls calls;
  calls.next = [&]() -> std::optional<RequestToRun> {
    if (next == places.size()) return std::nullopt;
    const size_t i = next++;
    return RequestToRun{
        ReadoutOf(places[i], checkpoint),
        std::make_shared<ReadingSink>(concepts, readings[i], status)};
  };
  calls.after_step = [&] { return status; };
  ALIGNSAE_RETURN_IF_ERROR(RunRequests(executor, std::move(catalog), calls));
  return readings;
}

}  // namespace alignsae
