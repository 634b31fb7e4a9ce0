#include "model/train/lm/epoch_sums.h"

#include <limits>

#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/status_macros.h"

namespace alignsae {

std::string EpochSums::ToJson() const {
  if (!whole) return "";
  return nlohmann::ordered_json({{"biography_loss", biography_loss},
                                 {"question_loss", question_loss},
                                 {"biography_steps", biography_steps},
                                 {"question_steps", question_steps}})
      .dump();
}

absl::StatusOr<EpochSums> EpochSums::FromJson(absl::string_view text) {
  EpochSums sums;
  sums.whole = !text.empty();
  if (text.empty()) return sums;
  const auto parse = [&]() -> absl::Status {
    constexpr int kMax = std::numeric_limits<int>::max();
    ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
    ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object,
                              JsonObject::Of(json, "epoch_sums"));
    ALIGNSAE_ASSIGN_OR_RETURN(sums.biography_loss,
                              object.FiniteNumber("biography_loss"));
    ALIGNSAE_ASSIGN_OR_RETURN(sums.question_loss,
                              object.FiniteNumber("question_loss"));
    ALIGNSAE_ASSIGN_OR_RETURN(sums.biography_steps,
                              object.Integer("biography_steps", 0, kMax));
    ALIGNSAE_ASSIGN_OR_RETURN(sums.question_steps,
                              object.Integer("question_steps", 0, kMax));
    return absl::OkStatus();
  };
  const absl::Status status = parse();
  if (!status.ok()) return absl::DataLossError(status.message());
  return sums;
}

}  // namespace alignsae
