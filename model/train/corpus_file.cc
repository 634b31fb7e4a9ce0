#include "model/train/corpus_file.h"

#include <filesystem>
#include <functional>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "model/base/file.h"
#include "model/base/json.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;
constexpr char kPeopleFile[] = "people.jsonl";
constexpr char kBiographiesFile[] = "biographies.jsonl";
constexpr char kQuestionsFile[] = "questions.jsonl";
constexpr char kDataFile[] = "data.json";

std::map<std::string, std::string> RenderLines(const Corpus& corpus) {
  std::map<std::string, std::string> files;
  std::string& people = files[kPeopleFile];
  for (size_t i = 0; i < corpus.people.size(); ++i) {
    const Person& person = corpus.people[i];
    Json facts = Json::object();
    for (Relation relation : kRelations) {
      facts[std::string(InfoOf(relation).name)] = person.value(relation);
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
                       {"relation", InfoOf(question.relation).name},
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
  for (const RelationInfo& info : kRelationInfo) {
    relations.push_back({{"name", info.name},
                         {"description", info.description},
                         {"example", info.example}});
  }
  Json hashes = Json::object();
  for (const auto& [name, contents] : files) hashes[name] = Sha256Hex(contents);
  const Json data = {
      {"format_version", kFormatVersion},
      {"seed", corpus.options.seed},
      {"people", corpus.options.people},
      {"biographies_per_person", corpus.options.biographies_per_person},
      {"counts",
       {{"asked_people", asked},
        {"biographies", corpus.biographies.size()},
        {"questions", corpus.questions.size()}}},
      {"prompt_template", kPromptTemplate},
      {"relations", relations},
      {"files", hashes}};
  return data.dump(2) + "\n";
}

absl::Status Malformed(absl::string_view file, size_t line,
                       absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(file, ":", line, ": ", what));
}

using LineReader = std::function<absl::Status(const nlohmann::json& line)>;

// Calls `read` with each line's object. nlohmann's accessors throw on a missing
// key or another type; that ends here.
absl::Status ForEachLine(absl::string_view file, absl::string_view contents,
                         const LineReader& read) {
  size_t number = 0;
  for (absl::string_view line : absl::StrSplit(contents, '\n')) {
    ++number;
    if (line.empty()) continue;
    absl::StatusOr<nlohmann::json> json = ParseJson(line);
    if (!json.ok()) return Malformed(file, number, json.status().message());
    absl::Status status;
    try {
      status = read(*json);
    } catch (const nlohmann::json::exception& error) {
      return Malformed(file, number, error.what());
    }
    if (!status.ok()) return Malformed(file, number, status.message());
  }
  return absl::OkStatus();
}

absl::StatusOr<Relation> RelationByName(absl::string_view name) {
  for (Relation relation : kRelations) {
    if (InfoOf(relation).name == name) return relation;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("relation: must be a known relation, got \"", name, "\""));
}

absl::Status ReadPeople(absl::string_view contents, Corpus& corpus) {
  return ForEachLine(kPeopleFile, contents, [&](const nlohmann::json& line) {
    Person person;
    person.name = line.at("name").get<std::string>();
    person.asked = line.at("asked").get<bool>();
    for (Relation relation : kRelations) {
      person.values[static_cast<int>(relation)] =
          line.at("facts")
              .at(std::string(InfoOf(relation).name))
              .get<std::string>();
    }
    if (line.at("id").get<size_t>() != corpus.people.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("id: must be ", corpus.people.size(), ", got ",
                       line.at("id").dump()));
    }
    corpus.people.push_back(std::move(person));
    return absl::OkStatus();
  });
}

absl::Status ReadBiographies(absl::string_view contents, Corpus& corpus) {
  return ForEachLine(
      kBiographiesFile, contents, [&](const nlohmann::json& line) {
        const int person = line.at("person").get<int>();
        if (person < 0 || person >= static_cast<int>(corpus.people.size())) {
          return absl::InvalidArgumentError(
              absl::StrCat("person: must be in [0, ", corpus.people.size(),
                           "), got ", person));
        }
        corpus.biographies.push_back(
            {person, line.at("text").get<std::string>()});
        return absl::OkStatus();
      });
}

absl::Status ReadQuestions(absl::string_view contents, Corpus& corpus) {
  return ForEachLine(
      kQuestionsFile, contents,
      [&](const nlohmann::json& line) -> absl::Status {
        const int index = static_cast<int>(corpus.questions.size());
        Question question;
        question.person = line.at("person").get<int>();
        ALIGNSAE_ASSIGN_OR_RETURN(
            question.relation,
            RelationByName(line.at("relation").get<std::string>()));
        question.wording = line.at("wording").get<int>();
        // QuestionAt indexes by this order.
        const int wording = index % kQuestionWordings;
        const int relation = index / kQuestionWordings % kRelationCount;
        const int person = index / kQuestionWordings / kRelationCount;
        if (question.wording != wording || question.person != person ||
            static_cast<int>(question.relation) != relation) {
          return absl::InvalidArgumentError(
              absl::StrCat("person, relation, wording: must be ", person, ", ",
                           InfoOf(kRelations[relation]).name, ", ", wording));
        }
        question.split = SplitOfWording(wording);
        if (line.at("split").get<std::string>() != SplitName(question.split)) {
          return absl::InvalidArgumentError(
              absl::StrCat("split: must be ", SplitName(question.split),
                           ", got ", line.at("split").dump()));
        }
        question.prompt = line.at("prompt").get<std::string>();
        question.answer = line.at("answer").get<std::string>();
        corpus.questions.push_back(std::move(question));
        return absl::OkStatus();
      });
}

absl::StatusOr<std::map<std::string, std::string>> ReadFiles(
    const std::string& directory, const nlohmann::json& hashes) {
  std::map<std::string, std::string> files;
  for (const char* name : {kPeopleFile, kBiographiesFile, kQuestionsFile}) {
    const std::string path = absl::StrCat(directory, "/", name);
    ALIGNSAE_ASSIGN_OR_RETURN(files[name], ReadFile(path, int64_t{1} << 30));
    if (hashes.at(name).get<std::string>() != Sha256Hex(files[name])) {
      return absl::DataLossError(
          absl::StrCat(path, ": SHA-256 must be the one in ", kDataFile,
                       "; generate the data again"));
    }
  }
  return files;
}

absl::StatusOr<Corpus> ReadAll(const std::string& directory,
                               const nlohmann::json& data) {
  const int version = data.at("format_version").get<int>();
  if (version != kFormatVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat(kDataFile, ": format_version: must be ", kFormatVersion,
                     ", got ", version));
  }
  if (data.at("prompt_template").get<std::string>() != kPromptTemplate) {
    return absl::InvalidArgumentError(absl::StrCat(
        kDataFile, ": prompt_template: must be this program's template, got ",
        data.at("prompt_template").dump()));
  }
  Corpus corpus;
  corpus.options.seed = data.at("seed").get<uint64_t>();
  corpus.options.people = data.at("people").get<int>();
  corpus.options.biographies_per_person =
      data.at("biographies_per_person").get<int>();
  ALIGNSAE_ASSIGN_OR_RETURN(auto files, ReadFiles(directory, data.at("files")));
  ALIGNSAE_RETURN_IF_ERROR(ReadPeople(files[kPeopleFile], corpus));
  ALIGNSAE_RETURN_IF_ERROR(ReadBiographies(files[kBiographiesFile], corpus));
  ALIGNSAE_RETURN_IF_ERROR(ReadQuestions(files[kQuestionsFile], corpus));
  const size_t questions =
      corpus.people.size() * kRelationCount * kQuestionWordings;
  if (corpus.people.empty() || corpus.questions.size() != questions) {
    return absl::InvalidArgumentError(
        absl::StrCat(kQuestionsFile, ": must have ", questions,
                     " lines for the people, got ", corpus.questions.size()));
  }
  return corpus;
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
  ALIGNSAE_ASSIGN_OR_RETURN(std::string text, ReadFile(path));
  absl::StatusOr<nlohmann::json> data = ParseJson(text);
  if (!data.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", data.status().message()));
  }
  absl::StatusOr<Corpus> corpus;
  try {
    corpus = ReadAll(directory, *data);
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what()));
  }
  if (corpus.ok()) corpus->hash = Sha256Hex(text);
  return corpus;
}

}  // namespace alignsae
