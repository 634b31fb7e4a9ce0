#include "model/train/pipeline/options.h"

#include <algorithm>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "model/train/common/parse_list.h"
#include "model/train/eval/baselines.h"

namespace alignsae {

namespace {

// "resid_mid[2]" -> kind and block; "2" -> resid_post of it.
std::optional<HookPoint> ReadHook(absl::string_view text) {
  HookPoint hook = {HookKind::kResidPost, 0};
  if (const size_t bracket = text.find('['); bracket != text.npos) {
    const std::optional<HookKind> kind = ParseHookKind(text.substr(0, bracket));
    if (!kind.has_value() || !absl::ConsumeSuffix(&text, "]")) {
      return std::nullopt;
    }
    hook.kind = *kind;
    text.remove_prefix(bracket + 1);
  }
  if (!absl::SimpleAtoi(text, &hook.layer)) return std::nullopt;
  return hook;
}

}  // namespace

absl::StatusOr<std::vector<HookPoint>> ParseHooks(absl::string_view text,
                                                  int n_layer) {
  return ParseList<HookPoint>(
      "layers", text,
      [n_layer](absl::string_view part) -> absl::StatusOr<HookPoint> {
        const std::optional<HookPoint> hook = ReadHook(part);
        if (!hook.has_value() || hook->layer < 0 || hook->layer >= n_layer) {
          return absl::InvalidArgumentError(absl::StrCat(
              "layers: must be in [0, ", n_layer - 1,
              "] or a hook point such as resid_mid[0], got ", Quoted(part),
              "; the model has ", n_layer, " blocks"));
        }
        return *hook;
      });
}

absl::StatusOr<std::vector<std::string>> ParseBaselines(
    absl::string_view text) {
  const std::vector<std::string> names = BaselineNames();
  if (text == "all") return names;
  if (text == "none") return std::vector<std::string>();
  return ParseList<std::string>(
      "baselines", text,
      [&names](absl::string_view part) -> absl::StatusOr<std::string> {
        if (std::find(names.begin(), names.end(), part) == names.end()) {
          return absl::InvalidArgumentError(
              absl::StrCat("baselines: must be all, none or names of ",
                           absl::StrJoin(names, ", "), ", got ", Quoted(part)));
        }
        return std::string(part);
      });
}

}  // namespace alignsae
