#include "model/train/study/plan.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_object.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

// Raise it when figures of older cells are no longer comparable.
constexpr int kCellVersion = 1;

// What the paper shows by table or figure, at a size for two cores. Figures of
// people that the language model was and was not asked about, 25 of each.
const std::map<std::string, const char*>& BuiltInPlans() {
  static const auto* plans = new std::map<std::string, const char*>{
      {"layers", R"({"name": "layers", "eval": {"sample": 25},
        "axes": {"layer": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}})"},
      {"losses", R"({"name": "losses", "eval": {"sample": 25},
        "base": {"stage1_epochs": 10, "stage2_epochs": 30},
        "axes": {"activation": ["relu", "identity"], "sparse": [0, 0.01],
                 "perp": [0, 1]}})"},
      {"curriculum", R"({"name": "curriculum", "eval": {"sample": 25},
        "variants": {"full": {}, "no stage 1": {"stage1_epochs": 0},
                     "short stage 1": {"stage1_epochs": 5},
                     "long stage 1": {"stage1_epochs": 80},
                     "no perp": {"perp": 0}, "no sparse": {"sparse": 0},
                     "no val": {"val": 0}, "no align": {"align": 0},
                     "indep": {"indep": 0.01}}})"},
      {"alphas", R"({"name": "alphas",
        "eval": {"sample": 25, "alphas":
                 "0.1,0.25,0.5,0.75,1,1.5,2,3,5,10,50,100,1000"},
        "axes": {"layer": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}})"},
      {"width", R"({"name": "width", "eval": {"sample": 25},
        "axes": {"free_features": [100, 300, 1000, 3000, 10000]}})"},
      {"people", R"({"name": "people", "eval": {"sample": 25},
        "axes": {"people": ["all", "asked"]}})"}};
  return *plans;
}

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
  const absl::Status status = SetField(cell.sae, key, value);
  return absl::IsNotFound(status) ? SetField(cell.eval, key, value) : status;
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

std::string IdOf(const StudyCell& cell, const std::string& subject) {
  return Sha256Hex(absl::StrCat(kCellVersion, "\n", subject, "\n",
                                cell.hook.ToString(), "\n",
                                FieldsToJson(cell.sae).dump(), "\n",
                                FieldsToJson(cell.eval).dump()))
      .substr(0, 24);
}

}  // namespace

absl::StatusOr<StudyPlan> ParseStudyPlan(const std::string& place,
                                         const Json& json,
                                         const StudyDefaults& defaults) {
  const nlohmann::json plain(json);
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object,
                            JsonObject::Of(plain, place));
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"name", "base", "eval", "axes", "variants"}));
  StudyPlan plan;
  ALIGNSAE_ASSIGN_OR_RETURN(plan.name, object.String("name"));
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
    for (int seed = 1; seed <= defaults.seeds; ++seed) {
      StudyCell next = cell;
      next.sae.seed = seed;
      absl::Status status = CheckFields(next.sae);
      status.Update(CheckFields(next.eval));
      if (!status.ok()) {
        return Bad(place,
                   absl::StrCat(cell.settings.dump(), ": ", status.message()));
      }
      next.id = IdOf(next, defaults.subject);
      cells.push_back(std::move(next));
    }
  }
  plan.cells = std::move(cells);
  if (plan.cells.empty()) {
    return Bad(place, absl::StrCat("layer: must be below ", defaults.layers,
                                   " in some cell"));
  }
  return plan;
}

absl::StatusOr<StudyPlan> ReadStudyPlan(const std::string& name_or_path,
                                        const StudyDefaults& defaults) {
  std::string text;
  const auto built_in = BuiltInPlans().find(name_or_path);
  if (built_in != BuiltInPlans().end()) {
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
  for (const auto& [name, text] : BuiltInPlans()) names.push_back(name);
  return names;
}

}  // namespace alignsae
