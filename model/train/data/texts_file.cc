#include "model/train/data/texts_file.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/json_lines.h"
#include "model/base/json_object.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"
#include "model/train/data/corpus_file.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kTextsFile[] = "texts.jsonl";

std::string TextLines(const LmTexts& texts) {
  std::string lines;
  for (const std::string& text : texts.texts) {
    Json line;
    line["text"] = text;
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  // Questions that nobody probes: of one step.
  std::map<std::string, Json> probed;
  std::vector<std::string> order;
  const auto line_of = [&](const LmQuestion& question) -> Json& {
    const auto [it, is_new] = probed.try_emplace(question.prompt);
    if (is_new) {
      order.push_back(question.prompt);
      it->second = {{"prompt", question.prompt},
                    {"answer", question.answer},
                    {"asked", false},
                    {"probes", Json::array()}};
    }
    return it->second;
  };
  for (const ProbeQuestion& probe : texts.probes) {
    Json& line = line_of(probe.question);
    line["probes"].push_back(SplitName(probe.split));
    line["group"] = texts.groups[probe.group];
  }
  for (const std::vector<LmQuestion>& fact : texts.facts) {
    line_of(fact.front())["asked"] = true;
  }
  for (const std::string& prompt : order) {
    absl::StrAppend(&lines, probed[prompt].dump(), "\n");
  }
  return lines;
}

absl::Status ReadQuestion(const JsonObject& object,
                          std::map<std::string, int>& groups, LmTexts& texts) {
  ALIGNSAE_RETURN_IF_ERROR(
      object.OnlyKeys({"prompt", "answer", "asked", "probes", "group"}));
  LmQuestion question;
  ALIGNSAE_ASSIGN_OR_RETURN(question.prompt, object.String("prompt"));
  ALIGNSAE_ASSIGN_OR_RETURN(question.answer, object.String("answer"));
  const nlohmann::json asked = object.json().value("asked", nlohmann::json());
  if (!asked.is_boolean()) {
    return object.Refuse("asked", "true or false", ShowJson(&asked));
  }
  const bool learned = asked.get<bool>();
  const nlohmann::json probes = object.json().value("probes", nlohmann::json());
  if (!probes.is_array()) {
    return object.Refuse("probes", "a list of splits", ShowJson(&probes));
  }
  const int subject =
      static_cast<int>(texts.probes.size() + texts.facts.size());
  for (const nlohmann::json& name : probes) {
    if (name != "validation" && name != "test") {
      return object.Refuse("probes", "of validation and test", ShowJson(&name));
    }
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string group, object.String("group"));
    const auto [place, is_new] =
        groups.emplace(group, static_cast<int>(groups.size()));
    if (is_new) texts.groups.push_back(group);
    texts.probes.push_back(
        {.question = question,
         .split = name == "test" ? Split::kTest : Split::kValidation,
         .asked = learned,
         .subject = subject,
         .group = place->second});
  }
  if (learned) texts.facts.push_back({std::move(question)});
  return absl::OkStatus();
}

absl::Status ReadLine(const JsonLine& line, std::map<std::string, int>& groups,
                      LmTexts& texts) {
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject object,
                            JsonObject::Of(line.value, line.place));
  if (!object.Has("text")) return ReadQuestion(object, groups, texts);
  ALIGNSAE_RETURN_IF_ERROR(object.OnlyKeys({"text"}));
  ALIGNSAE_ASSIGN_OR_RETURN(std::string text, object.String("text"));
  texts.texts.push_back(std::move(text));
  return absl::OkStatus();
}

absl::StatusOr<LmTexts> ReadTexts(const std::string& directory,
                                  const std::string& data_text) {
  const std::string path = absl::StrCat(directory, "/", kTextsFile);
  ALIGNSAE_ASSIGN_OR_RETURN(const nlohmann::json data, ParseJson(data_text));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const JsonObject root,
      JsonObject::Of(data, absl::StrCat(directory, "/", kDataFile)));
  ALIGNSAE_ASSIGN_OR_RETURN(const JsonObject files, root.Object("files"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash, files.String(kTextsFile));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string contents,
                            ReadFile(path, int64_t{1} << 30));
  if (hash != Sha256Hex(contents)) {
    return absl::DataLossError(
        absl::StrCat(path, ": SHA-256 must be the one in ", kDataFile,
                     "; generate the data again"));
  }
  LmTexts texts;
  std::map<std::string, int> groups;
  ALIGNSAE_RETURN_IF_ERROR(ForEachJsonLine(
      contents, path + ":",
      [&](const JsonLine& line) { return ReadLine(line, groups, texts); }));
  texts.hash = Sha256Hex(data_text);
  return texts;
}

}  // namespace

absl::StatusOr<std::string> WriteHops(const std::string& directory,
                                      const HopData& data) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  const std::pair<const char*, std::string> files[] = {
      {kTextsFile, TextLines(HopTextsOf(data))},
      {"prompts.jsonl", HopPromptLines(data)},
      {"facts.jsonl", HopFactLines(data)}};
  Json hashes = Json::object();
  for (const auto& [name, contents] : files) {
    hashes[name] = Sha256Hex(contents);
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(directory, "/", name), contents));
  }
  const auto learned = std::count_if(
      data.questions.begin(), data.questions.end(),
      [](const HopQuestion& q) { return q.split == Split::kSaeTrain; });
  Json options = FieldsToJson(data.options);
  options["seed"] = data.options.seed;
  const Json about = {{"format_version", kDataFormatVersion},
                      {"facts", "hops"},
                      {"options", options},
                      {"counts",
                       {{"facts", data.facts.size()},
                        {"questions", data.questions.size()},
                        {"learned", learned}}},
                      {"files", hashes}};
  const std::string text = about.dump(2) + "\n";
  ALIGNSAE_RETURN_IF_ERROR(
      WriteFileAtomically(absl::StrCat(directory, "/", kDataFile), text));
  return Sha256Hex(text);
}

absl::StatusOr<LmTexts> ReadLmTexts(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kDataFile);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const absl::StatusOr<nlohmann::json> data = ParseJson(text);
  if (data.ok() && data->is_object() &&
      data->value("facts", nlohmann::json()) == "hops") {
    return ReadTexts(directory, text);
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const Corpus corpus, ReadCorpus(directory));
  return LmTextsOf(corpus);
}

}  // namespace alignsae
