#include "model/steering/intervention.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"
#include "model/base/status_macros.h"
#include "model/steering/catalog.h"

namespace alignsae {
namespace {

absl::Status CheckHook(const HookPoint& hook, const ModelInfo& model) {
  const std::optional<FieldError> error =
      HookPointError(hook, model.n_layer, model.parallel_residual);
  if (!error) return absl::OkStatus();
  return FieldStatus(*error, error->path == "layer"
                                 ? absl::StatusCode::kNotFound
                                 : absl::StatusCode::kFailedPrecondition);
}

}  // namespace

bool Intervention::AppliesAt(int position, int prompt_length) const {
  if (position >= prompt_length) return positions.generated;
  return std::binary_search(positions.prompt.begin(), positions.prompt.end(),
                            position);
}

absl::Status CheckVector(const Intervention& intervention,
                         const ModelInfo& model) {
  if (!TakesVector(intervention.mode)) {
    return InvalidField(
        "mode", absl::StrCat("be one of ", VectorModeNames(), " with a vector"),
        InterventionModeName(intervention.mode));
  }
  const SteeringVector& vector = *intervention.vector;
  ALIGNSAE_RETURN_IF_ERROR(
      InField("vector.hook", CheckHook(vector.hook, model)));
  if (static_cast<int64_t>(vector.values.size()) != model.d_model) {
    return InvalidField(
        "vector.values",
        absl::StrCat("hold d_model = ", model.d_model, " numbers"),
        vector.values.size());
  }
  for (size_t i = 0; i < vector.values.size(); ++i) {
    if (std::isfinite(vector.values[i])) continue;
    return InvalidField(Indexed("vector.values", i), "be finite",
                        vector.values[i]);
  }
  if (std::all_of(vector.values.begin(), vector.values.end(),
                  [](float value) { return value == 0; })) {
    return InvalidField("vector.values", "have a number other than 0",
                        "only zeros");
  }
  return absl::OkStatus();
}

}  // namespace alignsae
