#include "client/cli/saved_answer.h"

#include <google/protobuf/util/json_util.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;
using google::protobuf::Message;

constexpr char kSwap[] = "Swap";
constexpr char kComplete[] = "Complete";
constexpr char kSweep[] = "SweepAlpha";

absl::StatusOr<Json> ToJson(const Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) {
    return absl::InternalError("cannot write the answer as JSON");
  }
  return Json::parse(text, nullptr, false);
}

// `part`, which is in `object` at `key`, as a message.
absl::Status FromPart(const JsonObject& object, const char* key,
                      const JsonObject& part, Message* message) {
  const auto status =
      google::protobuf::util::JsonStringToMessage(part.json().dump(), message);
  if (status.ok()) return absl::OkStatus();
  return object.Refuse(key,
                       absl::StrCat("a ", message->GetDescriptor()->name()),
                       Quoted(std::string(status.message())));
}

absl::Status FromJson(const JsonObject& object, const char* key,
                      Message* message) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject part, object.Object(key));
  return FromPart(object, key, part, message);
}

absl::Status FromJson(const JsonObject& object, const char* key,
                      SavedSweep::Answer* answer) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject part, object.Object(key));
  ALIGNSAE_RETURN_IF_ERROR(part.OnlyKeys({"started", "cells"}));
  ALIGNSAE_RETURN_IF_ERROR(FromJson(part, "started", &answer->started));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> cells,
                            part.Objects("cells"));
  for (const JsonObject& row : cells) {
    v1::SweepCell cell;
    ALIGNSAE_RETURN_IF_ERROR(FromPart(part, "cells", row, &cell));
    answer->cells[cell.index()] = std::move(cell);
  }
  return absl::OkStatus();
}

absl::StatusOr<Json> ToJson(const SavedSweep::Answer& answer) {
  Json json;
  ALIGNSAE_ASSIGN_OR_RETURN(json["started"], ToJson(answer.started));
  json["cells"] = Json::array();
  for (const auto& [index, cell] : answer.cells) {
    ALIGNSAE_ASSIGN_OR_RETURN(Json row, ToJson(cell));
    json["cells"].push_back(std::move(row));
  }
  return json;
}

const char* RpcOf(const SavedSwap&) { return kSwap; }
const char* RpcOf(const SavedComplete&) { return kComplete; }
const char* RpcOf(const SavedSweep&) { return kSweep; }

template <typename Saved>
absl::Status AddCall(const Saved& saved, Json& json) {
  json["rpc"] = RpcOf(saved);
  ALIGNSAE_ASSIGN_OR_RETURN(json["request"], ToJson(ReplayOf(saved)));
  ALIGNSAE_ASSIGN_OR_RETURN(json["answer"], ToJson(saved.answer));
  return absl::OkStatus();
}

template <typename Saved>
absl::StatusOr<SavedCall> ReadCall(const JsonObject& root) {
  Saved saved;
  ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "request", &saved.request));
  ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "answer", &saved.answer));
  return SavedCall(std::move(saved));
}

absl::StatusOr<SavedCall> ReadCall(const JsonObject& root,
                                   const std::string& rpc) {
  if (rpc == kSwap) return ReadCall<SavedSwap>(root);
  if (rpc == kComplete) return ReadCall<SavedComplete>(root);
  if (rpc == kSweep) return ReadCall<SavedSweep>(root);
  return root.Refuse("rpc", "Swap, Complete or SweepAlpha", Quoted(rpc));
}

v1::ArmResult* FindArm(v1::CompleteResponse& answer, v1::Arm arm) {
  for (v1::ArmResult& known : *answer.mutable_arms()) {
    if (known.arm() == arm) return &known;
  }
  v1::ArmResult* added = answer.add_arms();
  added->set_arm(arm);
  return added;
}

}  // namespace

SavedComplete::SavedComplete(const v1::GenerateRequest& streamed) {
  // They have the same fields.
  request.ParseFromString(streamed.SerializeAsString());
}

void SavedComplete::Add(const v1::GenerateResponse& event) {
  if (event.has_started()) {
    *answer.mutable_info() = event.started().info();
    *answer.mutable_prompt_token_ids() = event.started().prompt_token_ids();
    *answer.mutable_concepts() = event.started().concepts();
    answer.set_seed(event.started().seed());
  } else if (event.has_prompt()) {
    FindArm(answer, event.prompt().arm())
        ->mutable_prompt_tokens()
        ->MergeFrom(event.prompt().tokens());
  } else if (event.has_token()) {
    *FindArm(answer, event.token().arm())->add_tokens() = event.token().token();
  } else if (event.has_summary()) {
    answer.set_prompt_token_count(event.summary().prompt_token_count());
    // In the order of Complete's arms, whichever told its first token first.
    v1::CompleteResponse whole;
    for (const v1::ArmResult& arm : event.summary().arms()) {
      v1::ArmResult* told = FindArm(answer, arm.arm());
      told->MergeFrom(arm);
      *whole.add_arms() = *told;
    }
    answer.mutable_arms()->Swap(whole.mutable_arms());
  }
}

void SavedSweep::Add(const v1::SweepAlphaResponse& event) {
  if (event.has_started()) answer.started = event.started();
  if (event.has_cell()) answer.cells[event.cell().index()] = event.cell();
}

absl::Status SaveAnswer(const std::string& path, Client& client,
                        const SavedCall& call) {
  if (path.empty()) return absl::OkStatus();
  v1::GetModelRequest asked;
  asked.set_model(std::visit(
      [](const auto& saved) { return saved.request.model(); }, call));
  ALIGNSAE_ASSIGN_OR_RETURN(const v1::GetModelResponse model,
                            client.GetModel(asked));
  Json json;
  json["format_version"] = 1;
  json["server_version"] = model.server_version();
  ALIGNSAE_ASSIGN_OR_RETURN(json["model"], ToJson(model.model()));
  json["checkpoints"] = Json::array();
  for (const v1::Checkpoint& checkpoint : model.checkpoints()) {
    ALIGNSAE_ASSIGN_OR_RETURN(Json row, ToJson(checkpoint));
    json["checkpoints"].push_back(std::move(row));
  }
  ALIGNSAE_RETURN_IF_ERROR(std::visit(
      [&json](const auto& saved) { return AddCall(saved, json); }, call));
  return WriteFileAtomically(path, json.dump(1) + "\n");
}

absl::StatusOr<SavedAnswer> ReadSavedAnswer(const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const absl::StatusOr<nlohmann::json> json = ParseJson(text);
  if (!json.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", json.status().message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject root, JsonObject::Of(*json, path));
  ALIGNSAE_RETURN_IF_ERROR(
      root.OnlyKeys({"format_version", "rpc", "server_version", "model",
                     "checkpoints", "request", "answer"}));
  ALIGNSAE_RETURN_IF_ERROR(root.Integer("format_version", 1, 1).status());
  SavedAnswer saved;
  ALIGNSAE_RETURN_IF_ERROR(
      FromJson(root, "model", saved.model.mutable_model()));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<JsonObject> checkpoints,
                            root.Objects("checkpoints"));
  for (const JsonObject& row : checkpoints) {
    const auto status = google::protobuf::util::JsonStringToMessage(
        row.json().dump(), saved.model.add_checkpoints());
    if (!status.ok()) {
      return root.Refuse("checkpoints", "Checkpoints",
                         Quoted(std::string(status.message())));
    }
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string rpc, root.String("rpc"));
  ALIGNSAE_ASSIGN_OR_RETURN(saved.call, ReadCall(root, rpc));
  return saved;
}

}  // namespace alignsae
