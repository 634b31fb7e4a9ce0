// `alignsae validate`: how well a checkpoint reads, swaps and keeps silent.

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cli/labelled_prompts.h"
#include "client/cli/output.h"
#include "client/cli/render.h"
#include "client/cli/run.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::Status RunValidate(const CliOptions& options) {
  v1::ValidateBindingRequest request;
  request.set_checkpoint(options.checkpoint);
  request.set_model(options.model);
  if (options.max_swaps) request.set_max_swaps(*options.max_swaps);
  if (!options.labelled.empty()) {
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string text,
                              ReadFile(options.labelled));
    ALIGNSAE_RETURN_IF_ERROR(
        AddLabelledPrompts(text, options.labelled, request));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(Client client, Connect(options));
  absl::Status printed;
  const absl::Status status = client.ValidateBinding(
      request, [&](const v1::ValidateBindingResponse& answer) {
        if (options.json) {
          printed = PrintJson(answer, /*indented=*/false);
        } else if (answer.has_report()) {
          printed =
              PrintText(RenderValidation(answer.report(), LookOf(stdout)));
        }
        return printed.ok();
      });
  return printed.ok() ? status : printed;
}

}  // namespace alignsae
