#include "client/cli/print_json.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <string>

namespace alignsae {

absl::Status PrintJson(const google::protobuf::Message& message,
                       bool add_whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = add_whitespace;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options)
           .ok()) {
    return absl::InternalError("cannot print the answer as JSON");
  }
  std::printf("%s\n", json.c_str());
  return absl::OkStatus();
}

}  // namespace alignsae
