#include "model/train/data/corpus_file.h"

#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <system_error>
#include <type_traits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kPeopleFile[] = "people.jsonl";
constexpr char kBiographiesFile[] = "biographies.jsonl";
constexpr char kQuestionsFile[] = "questions.jsonl";

std::map<std::string, std::string> RenderLines(const Corpus& corpus) {
  std::map<std::string, std::string> files;
  std::string& people = files[kPeopleFile];
  for (size_t i = 0; i < corpus.people.size(); ++i) {
    const Person& person = corpus.people[i];
    Json facts = Json::object();
    for (size_t r = 0; r < corpus.relations.size(); ++r) {
      facts[corpus.relations[r].name] = person.values[r];
    }
    const Json line = {{"id", i},
                       {"name", person.name},
                       {"asked", person.asked},
                       {"facts", facts}};
    absl::StrAppend(&people, line.dump(), "\n");
  }
  std::string& biographies = files[kBiographiesFile];
  for (const Biography& biography : corpus.biographies) {
    const Json line = {{"person", biography.person}, {"text", biography.text}};
    absl::StrAppend(&biographies, line.dump(), "\n");
  }
  std::string& questions = files[kQuestionsFile];
  for (const Question& question : corpus.questions) {
    const Json line = {{"person", question.person},
                       {"relation", corpus.relations[question.relation].name},
                       {"wording", question.wording},
                       {"split", SplitName(question.split)},
                       {"prompt", question.prompt},
                       {"answer", question.answer}};
    absl::StrAppend(&questions, line.dump(), "\n");
  }
  return files;
}

std::string RenderData(const Corpus& corpus,
                       const std::map<std::string, std::string>& files) {
  int asked = 0;
  for (const Person& person : corpus.people) asked += person.asked ? 1 : 0;
  Json relations = Json::array();
  for (const RelationWords& words : corpus.relations) {
    relations.push_back(
        {{"name", words.name}, {"description", words.description}});
  }
  Json hashes = Json::object();
  for (const auto& [name, contents] : files) hashes[name] = Sha256Hex(contents);
  const Json data = {{"format_version", kDataFormatVersion},
                     {"facts", corpus.options.facts},
                     {"options", FieldsToJson(corpus.options)},
                     {"counts",
                      {{"asked_people", asked},
                       {"biographies", corpus.biographies.size()},
                       {"questions", corpus.questions.size()}}},
                     {"prompt_template", kPromptTemplate},
                     {"relations", relations},
                     {"files", hashes}};
  return data.dump(2) + "\n";
}

// The value of `key`, which must be a T: string, bool, uint64_t or int.
template <typename T>
absl::StatusOr<T> Field(const nlohmann::json& object, const char* key) {
  const auto it = object.find(key);
  const bool found = object.is_object() && it != object.end();
  const auto refuse = [&](const char* rule) {
    return absl::InvalidArgumentError(absl::StrCat(
        key, ": must be ", rule, ", got ", found ? it->dump() : "nothing"));
  };
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found || !it->is_string()) return refuse("a string");
    return it->template get<std::string>();
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!found || !it->is_boolean()) return refuse("true or false");
    return it->template get<bool>();
  } else {
    // Non-negative numbers are always unsigned in a parsed document.
    if (!found || !it->is_number_unsigned() ||
        it->template get<uint64_t>() >
            static_cast<uint64_t>(std::numeric_limits<T>::max())) {
      return refuse("a whole number, not negative");
    }
    return it->template get<T>();
  }
}

using LineReader = std::function<absl::Status(const nlohmann::json& line)>;

absl::Status ForEachLine(absl::string_view file, absl::string_view contents,
                         const LineReader& read) {
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(contents, '\n')) {
    ++number;
    if (line.empty()) continue;
    const absl::StatusOr<nlohmann::json> json = ParseJson(line);
    const absl::Status status = json.ok() ? read(*json) : json.status();
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", number, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadPeople(absl::string_view contents, Corpus& corpus) {
  return ForEachLine(
      kPeopleFile, contents, [&](const nlohmann::json& line) -> absl::Status {
        Person person;
        ALIGNSAE_ASSIGN_OR_RETURN(const uint64_t id,
                                  Field<uint64_t>(line, "id"));
        if (id != corpus.people.size()) {
          return absl::InvalidArgumentError(
              absl::StrCat("id: must be ", corpus.people.size(), ", got ", id));
        }
        ALIGNSAE_ASSIGN_OR_RETURN(person.name,
                                  Field<std::string>(line, "name"));
        ALIGNSAE_ASSIGN_OR_RETURN(person.asked, Field<bool>(line, "asked"));
        const auto facts = line.find("facts");
        if (facts == line.end()) {
          return absl::InvalidArgumentError("facts: must be there");
        }
        for (const RelationWords& words : corpus.relations) {
          ALIGNSAE_ASSIGN_OR_RETURN(
              std::string value,
              Field<std::string>(*facts, words.name.c_str()));
          person.values.push_back(std::move(value));
        }
        corpus.people.push_back(std::move(person));
        return absl::OkStatus();
      });
}

absl::Status ReadBiographies(absl::string_view contents, Corpus& corpus) {
  return ForEachLine(
      kBiographiesFile, contents,
      [&](const nlohmann::json& line) -> absl::Status {
        Biography biography;
        ALIGNSAE_ASSIGN_OR_RETURN(biography.person, Field<int>(line, "person"));
        if (biography.person >= static_cast<int>(corpus.people.size())) {
          return absl::InvalidArgumentError(
              absl::StrCat("person: must be below ", corpus.people.size(),
                           ", got ", biography.person));
        }
        ALIGNSAE_ASSIGN_OR_RETURN(biography.text,
                                  Field<std::string>(line, "text"));
        corpus.biographies.push_back(std::move(biography));
        return absl::OkStatus();
      });
}

// The wordings that a person is asked in, in order.
struct WordingPlace {
  int relation = 0;
  int wording = 0;
};

std::vector<WordingPlace> WordingsOf(const Corpus& corpus) {
  std::vector<WordingPlace> places;
  for (size_t r = 0; r < corpus.relations.size(); ++r) {
    for (size_t w = 0; w < corpus.relations[r].questions.size(); ++w) {
      places.push_back({static_cast<int>(r), static_cast<int>(w)});
    }
  }
  return places;
}

absl::Status ReadQuestion(const nlohmann::json& line,
                          const std::vector<WordingPlace>& places,
                          Corpus& corpus) {
  Question question;
  ALIGNSAE_ASSIGN_OR_RETURN(question.person, Field<int>(line, "person"));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string relation,
                            Field<std::string>(line, "relation"));
  ALIGNSAE_ASSIGN_OR_RETURN(question.wording, Field<int>(line, "wording"));
  // The order that Corpus::questions promises.
  const size_t index = corpus.questions.size();
  const WordingPlace& place = places[index % places.size()];
  const size_t person = index / places.size();
  const RelationWords& words = corpus.relations[place.relation];
  if (question.wording != place.wording ||
      static_cast<size_t>(question.person) != person ||
      relation != words.name) {
    return absl::InvalidArgumentError(
        absl::StrCat("person, relation, wording: must be ", person, ", ",
                     words.name, ", ", place.wording, ", got ", question.person,
                     ", ", relation, ", ", question.wording));
  }
  question.relation = place.relation;
  question.split = words.questions[place.wording].split;
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string split,
                            Field<std::string>(line, "split"));
  if (split != SplitName(question.split)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "split: must be ", SplitName(question.split), ", got ", split));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(question.prompt,
                            Field<std::string>(line, "prompt"));
  ALIGNSAE_ASSIGN_OR_RETURN(question.answer,
                            Field<std::string>(line, "answer"));
  corpus.questions.push_back(std::move(question));
  return absl::OkStatus();
}

// The three line files, each with the hash that data.json gives.
absl::StatusOr<std::map<std::string, std::string>> ReadFiles(
    const std::string& directory, const nlohmann::json& data) {
  const auto hashes = data.find("files");
  if (hashes == data.end()) {
    return absl::InvalidArgumentError("files: must be there");
  }
  std::map<std::string, std::string> files;
  for (const char* name : {kPeopleFile, kBiographiesFile, kQuestionsFile}) {
    const std::string path = absl::StrCat(directory, "/", name);
    ALIGNSAE_ASSIGN_OR_RETURN(const std::string hash,
                              Field<std::string>(*hashes, name));
    ALIGNSAE_ASSIGN_OR_RETURN(files[name], ReadFile(path, int64_t{1} << 30));
    if (hash != Sha256Hex(files[name])) {
      return absl::DataLossError(
          absl::StrCat(path, ": SHA-256 must be the one in ", kDataFile,
                       "; generate the data again"));
    }
  }
  return files;
}

absl::Status ReadData(const nlohmann::json& data, DataOptions& options) {
  ALIGNSAE_ASSIGN_OR_RETURN(const int version,
                            Field<int>(data, "format_version"));
  if (version != kDataFormatVersion) {
    return absl::InvalidArgumentError(absl::StrCat(
        "format_version: must be ", kDataFormatVersion, ", got ", version));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string prompt_template,
                            Field<std::string>(data, "prompt_template"));
  if (prompt_template != kPromptTemplate) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt_template: must be this program's, got ",
                     nlohmann::json(prompt_template).dump()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string facts,
                            Field<std::string>(data, "facts"));
  if (facts == "hops") {
    return absl::InvalidArgumentError(
        "facts: must be people, countries or relations, got \"hops\": train "
        "on its prompts.jsonl");
  }
  const auto stored = data.find("options");
  if (stored == data.end() || !stored->is_object()) {
    return absl::InvalidArgumentError("options: must be an object");
  }
  for (const auto& [name, value] : stored->items()) {
    ALIGNSAE_RETURN_IF_ERROR(SetField(options, name, value));
  }
  return CheckFields(options);
}

// As many lines as data.json promises.
absl::Status CheckCounts(const Corpus& corpus) {
  const size_t people = corpus.options.people;
  const size_t questions = people * WordingsOf(corpus).size();
  const size_t texts =
      (corpus.relations.size() + kSentencesPerText - 1) / kSentencesPerText;
  const size_t biographies =
      people * corpus.options.biographies_per_person * texts;
  const struct {
    const char* file;
    size_t want, got;
  } rows[] = {{kPeopleFile, people, corpus.people.size()},
              {kBiographiesFile, biographies, corpus.biographies.size()},
              {kQuestionsFile, questions, corpus.questions.size()}};
  for (const auto& row : rows) {
    if (row.want != row.got) {
      return absl::InvalidArgumentError(absl::StrCat(
          row.file, ": must have ", row.want, " lines, got ", row.got));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string CorpusHash(const Corpus& corpus) {
  return Sha256Hex(RenderData(corpus, RenderLines(corpus)));
}

absl::Status WriteCorpus(const std::string& directory, const Corpus& corpus) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": cannot be created: ", error.message()));
  }
  const std::map<std::string, std::string> files = RenderLines(corpus);
  for (const auto& [name, contents] : files) {
    ALIGNSAE_RETURN_IF_ERROR(
        WriteFileAtomically(absl::StrCat(directory, "/", name), contents));
  }
  return WriteFileAtomically(absl::StrCat(directory, "/", kDataFile),
                             RenderData(corpus, files));
}

absl::StatusOr<Corpus> ReadCorpus(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/", kDataFile);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const absl::StatusOr<nlohmann::json> data = ParseJson(text);
  Corpus corpus;
  const absl::Status read =
      data.ok() ? ReadData(*data, corpus.options) : data.status();
  if (!read.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", read.message()));
  }
  ALIGNSAE_ASSIGN_OR_RETURN(auto files, ReadFiles(directory, *data));
  corpus.relations = RelationsOf(corpus.options);
  const std::vector<WordingPlace> places = WordingsOf(corpus);
  ALIGNSAE_RETURN_IF_ERROR(ReadPeople(files[kPeopleFile], corpus));
  ALIGNSAE_RETURN_IF_ERROR(ReadBiographies(files[kBiographiesFile], corpus));
  ALIGNSAE_RETURN_IF_ERROR(ForEachLine(
      kQuestionsFile, files[kQuestionsFile], [&](const nlohmann::json& line) {
        return ReadQuestion(line, places, corpus);
      }));
  ALIGNSAE_RETURN_IF_ERROR(CheckCounts(corpus));
  corpus.hash = Sha256Hex(text);
  return corpus;
}

}  // namespace alignsae
