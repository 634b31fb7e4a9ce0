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

absl::StatusOr<Json> ToJson(const Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) {
    return absl::InternalError("cannot write the answer as JSON");
  }
  return Json::parse(text, nullptr, false);
}

absl::Status FromJson(const JsonObject& object, const char* key,
                      Message* message) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject part, object.Object(key));
  const auto status =
      google::protobuf::util::JsonStringToMessage(part.json().dump(), message);
  if (status.ok()) return absl::OkStatus();
  return object.Refuse(key,
                       absl::StrCat("a ", message->GetDescriptor()->name()),
                       Quoted(std::string(status.message())));
}

template <typename Saved>
absl::Status AddCall(const char* rpc, const Saved& saved, Json& json) {
  json["rpc"] = rpc;
  ALIGNSAE_ASSIGN_OR_RETURN(json["request"], ToJson(ReplayOf(saved)));
  ALIGNSAE_ASSIGN_OR_RETURN(json["answer"], ToJson(saved.answer));
  return absl::OkStatus();
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

absl::Status SaveAnswer(const std::string& path, Client& client,
                        std::variant<SavedSwap, SavedComplete> call) {
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
  if (const auto* swap = std::get_if<SavedSwap>(&call)) {
    ALIGNSAE_RETURN_IF_ERROR(AddCall(kSwap, *swap, json));
  } else {
    ALIGNSAE_RETURN_IF_ERROR(
        AddCall(kComplete, std::get<SavedComplete>(call), json));
  }
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
  if (rpc == kSwap) {
    SavedSwap swap;
    ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "request", &swap.request));
    ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "answer", &swap.answer));
    saved.call = std::move(swap);
  } else if (rpc == kComplete) {
    SavedComplete complete;
    ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "request", &complete.request));
    ALIGNSAE_RETURN_IF_ERROR(FromJson(root, "answer", &complete.answer));
    saved.call = std::move(complete);
  } else {
    return root.Refuse("rpc", "Swap or Complete", Quoted(rpc));
  }
  return saved;
}

}  // namespace alignsae
