#include "client/cli/output.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "client/cli/render.h"
#include "client/cli/table.h"
#include "model/base/status_macros.h"

namespace alignsae {

absl::Status PrintText(const std::string& text) {
  WriteStdout(text);
  return CheckStdout();
}

absl::Status PrintJson(const google::protobuf::Message& message,
                       bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options)
           .ok()) {
    return absl::InternalError("cannot print the answer as JSON");
  }
  return PrintText(json + "\n");
}

absl::Status StreamPrinter::OnEvent(const v1::GenerateResponse& event) {
  if (options_.json) return PrintJson(event, /*indented=*/false);
  if (event.has_token()) {
    return Text(event.token().arm(), event.token().text());
  }
  if (event.has_arm_finished()) {
    return Text(event.arm_finished().arm(), event.arm_finished().text_tail());
  }
  return event.has_summary() ? Summary(event.summary()) : absl::OkStatus();
}

absl::Status StreamPrinter::Text(v1::Arm arm, const std::string& text) {
  (arm == v1::ARM_STEERED ? steered_ : baseline_) += text;
  return two_arms_ ? absl::OkStatus() : PrintText(text);
}

absl::Status StreamPrinter::Summary(const v1::GenerationSummary& summary) {
  if (two_arms_) {
    Table table({"arm", "text"});
    table.Add({"baseline", baseline_});
    table.Add({"steered", steered_});
    ALIGNSAE_RETURN_IF_ERROR(PrintText(table.ToString(LookOf(stdout))));
  }
  return PrintText("\n" + RenderSummary(summary));
}

}  // namespace alignsae
