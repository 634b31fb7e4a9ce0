#include "model/train/study/plan.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/base/version.h"
#include "model/train/study/plans.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

// Raise it when figures of older cells are no longer comparable.
constexpr int kCellVersion = 2;

absl::Status Bad(const std::string& place, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(place, ": ", what));
}

// One setting of a cell.
absl::Status Set(const std::string& key, const Json& value, StudyCell& cell) {
  if (key == "layer") {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() > 4095) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer: must be in [0, 4095], got ", value.dump()));
    }
    cell.hook.layer = value.get<int>();
    return absl::OkStatus();
  }
  if (key == "hook") {
    const std::optional<HookKind> kind =
        value.is_string() ? ParseHookKind(value.get<std::string>())
                          : std::nullopt;
    if (!kind.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "hook: must be ", HookKindNames(), ", got ", value.dump()));
    }
    cell.hook.kind = *kind;
    return absl::OkStatus();
  }
  absl::Status status = SetField(cell.sae, key, value);
  if (absl::IsNotFound(status)) status = SetField(cell.eval, key, value);
  return absl::IsNotFound(status) ? SetField(cell.own, key, value) : status;
}

absl::Status SetAll(const std::string& place, const Json& values,
                    StudyCell& cell) {
  if (!values.is_object()) return Bad(place, "must be an object");
  for (const auto& [key, value] : values.items()) {
    const absl::Status status = Set(key, value, cell);
    if (!status.ok()) return Bad(place, status.message());
  }
  return absl::OkStatus();
}

// `cells` with every value of one axis. `set` makes the change.
template <typename Change>
absl::Status Multiply(const std::string& place, const std::string& axis,
                      const Json& values, Change&& set,
                      std::vector<StudyCell>& cells) {
  if (values.empty() ||
      cells.size() * values.size() > static_cast<size_t>(kMaxStudyCells)) {
    return Bad(place, absl::StrCat("must have values, and together at most ",
                                   kMaxStudyCells, " cells, got ",
                                   values.size(), " values"));
  }
  std::vector<StudyCell> product;
  for (const StudyCell& cell : cells) {
    for (const auto& [key, value] : values.items()) {
      StudyCell next = cell;
      ALIGNSAE_ASSIGN_OR_RETURN(next.settings[axis], set(key, value, next));
      product.push_back(std::move(next));
    }
  }
  cells = std::move(product);
  return absl::OkStatus();
}

absl::Status AddAxes(const std::string& place, const Json& json,
                     StudyPlan& plan) {
  const Json axes = json.value("axes", Json::object());
  if (!axes.is_object()) return Bad(place + ": axes", "must be an object");
  for (const auto& [axis, values] : axes.items()) {
    const std::string axis_place = absl::StrCat(place, ": axes.", axis);
    if (!values.is_array()) return Bad(axis_place, "must be an array");
    const std::string name = axis;
    ALIGNSAE_RETURN_IF_ERROR(Multiply(
        axis_place, name, values,
        [&](const std::string&, const Json& value,
            StudyCell& cell) -> absl::StatusOr<Json> {
          const absl::Status status = Set(name, value, cell);
          if (!status.ok()) return Bad(axis_place, status.message());
          return value;
        },
        plan.cells));
    plan.axes.push_back(name);
  }
  if (!json.contains("variants")) return absl::OkStatus();
  const std::string variants = place + ": variants";
  if (!json["variants"].is_object()) return Bad(variants, "must be an object");
  plan.axes.push_back("variant");
  return Multiply(
      variants, "variant", json["variants"],
      [&](const std::string& name, const Json& value,
          StudyCell& cell) -> absl::StatusOr<Json> {
        ALIGNSAE_RETURN_IF_ERROR(
            SetAll(absl::StrCat(variants, ".", name), value, cell));
        return Json(name);
      },
      plan.cells);
}

// The report of a plan is a folder of its name.
bool IsFolderName(const std::string& name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789-_") == std::string::npos;
}

// The language model that the cell is about.
absl::StatusOr<std::string> SubjectOf(const StudyCell& cell,
                                      const StudyDefaults& defaults) {
  if (cell.own.epoch == 0) return defaults.subject;
  const auto kept = defaults.kept.find(cell.own.epoch);
  if (kept != defaults.kept.end()) return kept->second;
  return absl::InvalidArgumentError(absl::StrCat(
      "epoch: must be one that `lm --keep-every` kept, got ", cell.own.epoch));
}

absl::StatusOr<std::string> IdOf(const StudyCell& cell,
                                 const StudyDefaults& defaults) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(cell.sae));
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(cell.eval));
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(cell.own));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string subject,
                            SubjectOf(cell, defaults));
  return Sha256Hex(absl::StrCat(kCellVersion, " ", kVersion, "\n", subject,
                                "\n", cell.hook.ToString(), "\n",
                                FieldsToJson(cell.sae).dump(), "\n",
                                FieldsToJson(cell.eval).dump(), "\n",
                                FieldsToJson(cell.own).dump()))
      .substr(0, 24);
}

// `json` with the numbers that stand for "1/D".
Json WithWidth(Json json, int width) {
  if (json == "1/D") return Json(1.0 / width);
  if (json.is_structured()) {
    for (Json& part : json) part = WithWidth(std::move(part), width);
  }
  return json;
}

// Writes the kept epochs out, where the plan asks for all of them.
absl::Status NameKeptEpochs(const std::string& place,
                            const StudyDefaults& defaults, Json& json) {
  const nlohmann::ordered_json::json_pointer epochs("/axes/epoch");
  if (!json.contains(epochs) || json[epochs] != "kept") {
    return absl::OkStatus();
  }
  json[epochs] = Json::array();
  for (const auto& [epoch, subject] : defaults.kept) {
    json[epochs].push_back(epoch);
  }
  if (!defaults.kept.empty()) return absl::OkStatus();
  return Bad(place,
             "axes.epoch: the language model must have kept checkpoints (lm "
             "--keep-every N), got none");
}

}  // namespace

absl::StatusOr<StudyPlan> ParseStudyPlan(const std::string& place,
                                         const Json& text,
                                         const StudyDefaults& defaults) {
  Json json = WithWidth(text, defaults.width);
  ALIGNSAE_RETURN_IF_ERROR(NameKeptEpochs(place, defaults, json));
  const nlohmann::json plain(json);
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object,
                            JsonObject::Of(plain, place));
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"name", "about", "base", "eval", "axes", "variants"}));
  StudyPlan plan;
  ALIGNSAE_ASSIGN_OR_RETURN(plan.name, object.String("name"));
  if (!IsFolderName(plan.name)) {
    return Bad(place, absl::StrCat("name: must be letters, digits, - and _, "
                                   "got ",
                                   Quoted(plan.name)));
  }
  if (object.Has("about")) {
    ALIGNSAE_ASSIGN_OR_RETURN(plan.about, object.String("about"));
  }
  StudyCell base;
  base.sae = defaults.sae;
  base.eval = defaults.eval;
  for (const char* part : {"base", "eval"}) {
    ALIGNSAE_RETURN_IF_ERROR(SetAll(absl::StrCat(place, ": ", part),
                                    json.value(part, Json::object()), base));
  }
  plan.cells = {base};
  ALIGNSAE_RETURN_IF_ERROR(AddAxes(place, json, plan));
  std::vector<StudyCell> cells;
  for (const StudyCell& cell : plan.cells) {
    if (cell.hook.layer >= defaults.layers) continue;
    if (cell.own.concepts > defaults.concepts) continue;
    for (int seed = 1; seed <= defaults.seeds; ++seed) {
      StudyCell next = cell;
      next.sae.seed = seed;
      absl::StatusOr<std::string> id = IdOf(next, defaults);
      if (!id.ok()) {
        return Bad(place, absl::StrCat(cell.settings.dump(), ": ",
                                       id.status().message()));
      }
      next.id = *std::move(id);
      cells.push_back(std::move(next));
    }
  }
  plan.cells = std::move(cells);
  if (plan.cells.empty()) {
    return Bad(place, absl::StrCat("layer: must be below ", defaults.layers,
                                   ", and concepts at most ", defaults.concepts,
                                   ", in some cell"));
  }
  return plan;
}

absl::StatusOr<StudyPlan> ReadStudyPlan(const std::string& name_or_path,
                                        const StudyDefaults& defaults) {
  std::string text;
  const auto built_in = StudyPlanTexts().find(name_or_path);
  if (built_in != StudyPlanTexts().end()) {
    text = built_in->second;
  } else if (FileExists(name_or_path)) {
    ALIGNSAE_ASSIGN_OR_RETURN(text, ReadFile(name_or_path));
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "plan: must be one of ", absl::StrJoin(StudyPlanNames(), ", "),
        " or a file, got ", Quoted(name_or_path)));
  }
  // Checked as any file is, then read again: the order of axes counts.
  const absl::Status sound = ParseJson(text).status();
  if (!sound.ok()) return Bad(name_or_path, sound.message());
  return ParseStudyPlan(name_or_path, Json::parse(text), defaults);
}

std::vector<std::string> StudyPlanNames() {
  std::vector<std::string> names;
  for (const auto& [name, text] : StudyPlanTexts()) names.push_back(name);
  return names;
}

}  // namespace alignsae
