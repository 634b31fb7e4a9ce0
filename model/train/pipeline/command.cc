#include "model/train/pipeline/command.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/train/common/option_fields.h"

namespace alignsae {
namespace {

// " --lm-epochs 30" for each field that differs from the preset's.
template <typename Options>
std::string Differences(const Options& options, const Options& preset,
                        const std::string& prefix) {
  const nlohmann::ordered_json own = FieldsToJson(options);
  const nlohmann::ordered_json base = FieldsToJson(preset);
  std::string flags;
  for (const auto& [name, value] : own.items()) {
    if (value == base[name]) continue;
    absl::StrAppend(
        &flags, " --", prefix, absl::StrReplaceAll(name, {{"_", "-"}}), " ",
        value.is_string() ? value.template get<std::string>() : value.dump());
  }
  return flags;
}

}  // namespace

std::string PipelineCommand(const TrainPreset& preset, bool init_from,
                            bool tokenizer) {
  const TrainPreset base = FindPreset(preset.name).value_or(TrainPreset());
  std::string command =
      absl::StrCat("alignsae-train pipeline --preset ", preset.name);
  absl::StrAppend(&command, Differences(preset.data, base.data, "data-"),
                  Differences(preset.lm, base.lm, "lm-"),
                  Differences(preset.sae, base.sae, "sae-"),
                  Differences(preset.eval, base.eval, "eval-"),
                  Differences(preset.pipeline, base.pipeline, ""));
  if (init_from) absl::StrAppend(&command, " --init-from DIR");
  if (tokenizer) {
    absl::StrAppend(&command, " --tokenizer DIR");
  }
  return command;
}

}  // namespace alignsae
