#include "server/api/inference_rpcs.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// Calls know one generation of a model: the newest that serves.
absl::Status CheckVersion(const CallScope& scope, const std::string& version) {
  const std::string served = absl::StrCat(scope.model->generation());
  if (version.empty() || version == served) return absl::OkStatus();
  return FieldStatus(
      {"version",
       absl::StrCat("be the generation that serves, ", served, ", or empty"),
       Quoted(version)},
      absl::StatusCode::kNotFound);
}

// The model's name is in a field of another name here.
absl::Status InName(const absl::Status& status) {
  std::optional<FieldError> error = FieldErrorOf(status);
  if (!error.has_value() || error->path != "model") return status;
  error->path = "name";
  return FieldStatus(*error, status.code());
}

template <typename Tensor>
void Describe(absl::string_view name, absl::string_view type, int64_t size,
              Tensor* tensor) {
  tensor->set_name(std::string(name));
  tensor->set_datatype(std::string(type));
  tensor->add_shape(size);
}

absl::Status DoModelMetadata(const CallScope& scope,
                             const inference::ModelMetadataRequest& request,
                             inference::ModelMetadataResponse* response) {
  ALIGNSAE_RETURN_IF_ERROR(CheckVersion(scope, request.version()));
  const Catalog& catalog = scope.model->catalog();
  response->set_name(catalog.model.name);
  response->add_versions(absl::StrCat(scope.model->generation()));
  response->set_platform("alignsae");
  Describe("token_ids", "INT64", -1, response->add_inputs());
  if (!catalog.checkpoints.empty()) {
    Describe("concept_probabilities", "FP32",
             static_cast<int64_t>(catalog.checkpoints[0].concepts.size()),
             response->add_outputs());
  }
  return absl::OkStatus();
}

}  // namespace

void ModelReady(std::shared_ptr<Call> call,
                const inference::ModelReadyRequest* request,
                inference::ModelReadyResponse* response, Done done) {
  call->AskFor(request->name());
  RunDirect(
      std::move(call),
      {[=](const CallScope& scope) {
         response->set_ready(true);
         return CheckVersion(scope, request->version());
       },
       static_cast<int64_t>(request->ByteSizeLong())},
      [done = std::move(done)](const absl::Status& status) {
        done(absl::IsUnavailable(status) ? absl::OkStatus() : InName(status));
      });
}

void ModelMetadata(std::shared_ptr<Call> call,
                   const inference::ModelMetadataRequest* request,
                   inference::ModelMetadataResponse* response, Done done) {
  call->AskFor(request->name());
  RunDirect(std::move(call),
            {[=](const CallScope& scope) {
               return DoModelMetadata(scope, *request, response);
             },
             static_cast<int64_t>(request->ByteSizeLong())},
            [done = std::move(done)](const absl::Status& status) {
              done(InName(status));
            });
}

}  // namespace alignsae
