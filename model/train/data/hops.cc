#include "model/train/data/hops.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "model/base/status_macros.h"
#include "model/train/common/random_order.h"
#include "model/train/data/word_lists.h"

namespace alignsae {
namespace {

constexpr absl::string_view kRelationNouns[kMostHopRelations] = {
    "friend",    "boss",     "report",  "neighbor", "teacher", "student",
    "cousin",    "mentor",   "partner", "doctor",   "lawyer",  "landlord",
    "tenant",    "coach",    "rival",   "editor",   "client",  "agent",
    "driver",    "guest",    "host",    "nephew",   "aunt",    "uncle",
    "tutor",     "banker",   "barber",  "gardener", "dentist", "plumber",
    "assistant", "producer", "witness", "guardian", "sponsor", "translator",
    "roommate",  "critic",   "deputy",  "heir"};

absl::Status CheckOptions(const HopOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckFields(options));
  const int most = options.names * options.relations;
  if (options.facts > most) {
    return absl::InvalidArgumentError(
        absl::StrCat("facts: must be at most names x relations (", most,
                     "), got ", options.facts));
  }
  return absl::OkStatus();
}

std::vector<HopFact> MakeFacts(const HopOptions& options) {
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kHops, 0);
  std::vector<int> pairs = Permutation(rng, options.names * options.relations);
  pairs.resize(options.facts);
  std::sort(pairs.begin(), pairs.end());
  std::vector<HopFact> facts;
  for (int pair : pairs) {
    HopFact fact{.name = pair / options.relations,
                 .relation = pair % options.relations,
                 .value = 0};
    fact.value = static_cast<int>(rng.NextBelow(options.names - 1));
    if (fact.value >= fact.name) ++fact.value;  // Another person.
    facts.push_back(fact);
  }
  return facts;
}

// Every question that the facts answer, then as many of them as are wanted:
// learned ones first.
absl::Status MakeQuestions(HopData& data) {
  const HopOptions& options = data.options;
  std::vector<HopQuestion> all;
  for (const HopFact& first : data.facts) {
    for (const HopFact& second : data.facts) {
      if (second.name != first.value) continue;
      all.push_back({.first_relation = first.relation,
                     .second_relation = second.relation,
                     .name = first.name,
                     .bridge = first.value,
                     .end = second.value});
    }
  }
  CounterRng rng = RandomStream(options.seed, RandomPurpose::kHops, 1);
  Shuffle(rng, all);
  const size_t wanted =
      std::min(all.size(), static_cast<size_t>(options.questions));
  const auto learned = static_cast<size_t>(
      std::llround(options.phi * static_cast<double>(options.facts)));
  // Each relation needs prompts in every split.
  const size_t held_out = 8 * static_cast<size_t>(options.relations);
  if (learned < 1 || learned + held_out > wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "phi: must leave ", held_out, " of ", wanted,
        " questions to be held out (the facts answer ", all.size(), "), got ",
        options.phi, ", which is ", learned, " questions"));
  }
  all.resize(wanted);
  for (size_t i = 0; i < wanted; ++i) {
    all[i].split = i < learned  ? Split::kSaeTrain
                   : i % 2 == 0 ? Split::kValidation
                                : Split::kTest;
  }
  data.questions = std::move(all);
  return absl::OkStatus();
}

std::string SentenceOf(absl::string_view relation, absl::string_view name,
                       absl::string_view value, int wording) {
  switch (wording) {
    case 0:
      return absl::StrCat("The ", relation, " of ", name, " is ", value, ".");
    case 1:
      return absl::StrCat(name, "'s ", relation, " is ", value, ".");
    case 2:
      return absl::StrCat("As for ", name, ", the ", relation, " is ", value,
                          ".");
    case 3:
      return absl::StrCat(name, " has a ", relation, " named ", value, ".");
    case 4:
      return absl::StrCat("For ", name, " the ", relation, " was always ",
                          value, ".");
    default:
      return absl::StrCat(name, " met the ", relation, ", who is called ",
                          value, ".");
  }
}

constexpr size_t kSentencesPerParagraph = 6;

void AppendParagraphs(const std::vector<std::string>& sentences,
                      std::vector<std::string>& texts) {
  for (size_t begin = 0; begin < sentences.size();
       begin += kSentencesPerParagraph) {
    std::string text;
    const size_t end =
        std::min(sentences.size(), begin + kSentencesPerParagraph);
    for (size_t i = begin; i < end; ++i) {
      absl::StrAppend(&text, text.empty() ? "" : " ", sentences[i]);
    }
    texts.push_back(std::move(text));
  }
}

// Each run of six rounds tells a fact in each wording once.
std::vector<std::string> KeyFirstTexts(const HopData& data) {
  std::vector<std::string> texts;
  size_t begin = 0;
  while (begin < data.facts.size()) {
    size_t end = begin;
    const int name = data.facts[begin].name;
    while (end < data.facts.size() && data.facts[end].name == name) ++end;
    CounterRng rng = RandomStream(data.options.seed, RandomPurpose::kHops,
                                  uint64_t{2} + name);
    const std::vector<int> first =
        Permutation(rng, static_cast<int>(end - begin));
    for (int round = 0; round < data.options.paragraphs; ++round) {
      std::vector<std::string> sentences;
      for (int i : Permutation(rng, static_cast<int>(end - begin))) {
        const HopFact& fact = data.facts[begin + i];
        sentences.push_back(
            SentenceOf(data.relations[fact.relation], data.names[fact.name],
                       data.names[fact.value], (first[i] + round) % 6));
      }
      AppendParagraphs(sentences, texts);
    }
    begin = end;
  }
  return texts;
}

std::vector<std::string> AuthorsTexts(const HopData& data) {
  std::vector<std::string> texts;
  CounterRng rng = RandomStream(data.options.seed, RandomPurpose::kHops, 2);
  for (int round = 0; round < data.options.paragraphs; ++round) {
    std::vector<std::string> sentences;
    for (int i : Permutation(rng, static_cast<int>(data.facts.size()))) {
      const HopFact& fact = data.facts[i];
      sentences.push_back(absl::StrCat(data.names[fact.value], " is the ",
                                       data.relations[fact.relation], " of ",
                                       data.names[fact.name], "."));
    }
    AppendParagraphs(sentences, texts);
  }
  return texts;
}

std::string PromptOf(const HopData& data, const HopQuestion& question) {
  return absl::StrCat("Q: Who is the ",
                      data.relations[question.second_relation], " of the ",
                      data.relations[question.first_relation], " of ",
                      data.names[question.name], "?\nA:");
}

// What follows the bridge's question: "Dominic Gerald" or "Gerald".
std::string AnswerOf(const HopData& data, int bridge, int end) {
  return data.options.answers == "explicit"
             ? absl::StrCat(data.names[bridge], " ", data.names[end])
             : data.names[end];
}

using Json = nlohmann::ordered_json;

// Of every other first relation: what the answer would be.
void AddFirstTargets(const HopData& data, const HopQuestion& question,
                     absl::string_view prefix, Json& targets) {
  for (int r = 0; r < data.options.relations; ++r) {
    const int bridge = data.ValueOf(question.name, r);
    if (r == question.first_relation || bridge < 0) continue;
    const int end = data.ValueOf(bridge, question.second_relation);
    if (end < 0) continue;
    targets[absl::StrCat(prefix, data.relations[r])] =
        AnswerOf(data, bridge, end);
  }
}

// Of every other second relation: who the end would be.
void AddSecondTargets(const HopData& data, const HopQuestion& question,
                      absl::string_view prefix, Json& targets) {
  for (int r = 0; r < data.options.relations; ++r) {
    const int end = data.ValueOf(question.bridge, r);
    if (r == question.second_relation || end < 0) continue;
    targets[absl::StrCat(prefix, data.relations[r])] = data.names[end];
  }
}

Json LineOf(const HopData& data, const HopQuestion& question, int number) {
  Json line = {{"prompt", PromptOf(data, question)}};
  if (data.options.position == "key") {
    line["position"] = {{"text", data.names[question.name]}};
  }
  line["split"] = question.split == Split::kSaeTrain
                      ? "train"
                      : std::string(SplitName(question.split));
  line["group"] = absl::StrCat("question ", number);
  line["answer"] = AnswerOf(data, question.bridge, question.end);
  line["targets"] = Json::object();
  return line;
}

}  // namespace

int HopData::ValueOf(int name, int relation) const {
  const auto found =
      std::lower_bound(facts.begin(), facts.end(), std::pair(name, relation),
                       [](const HopFact& fact, const std::pair<int, int>& key) {
                         return std::pair(fact.name, fact.relation) < key;
                       });
  return found != facts.end() && found->name == name &&
                 found->relation == relation
             ? found->value
             : -1;
}

absl::StatusOr<HopData> GenerateHops(const HopOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckOptions(options));
  HopData data;
  data.options = options;
  const absl::Span<const absl::string_view> names = FirstNames();
  for (int i = 0; i < options.names; ++i) data.names.emplace_back(names[i]);
  for (int r = 0; r < options.relations; ++r) {
    data.relations.emplace_back(kRelationNouns[r]);
  }
  data.facts = MakeFacts(options);
  ALIGNSAE_RETURN_IF_ERROR(MakeQuestions(data));
  return data;
}

LmTexts HopTextsOf(const HopData& data) {
  LmTexts texts;
  texts.groups = data.relations;
  texts.texts =
      data.options.form == "authors" ? AuthorsTexts(data) : KeyFirstTexts(data);
  int subject = 0;
  for (const HopQuestion& question : data.questions) {
    const LmQuestion asked = {
        PromptOf(data, question),
        absl::StrCat(" ", AnswerOf(data, question.bridge, question.end))};
    const bool learned = question.split == Split::kSaeTrain;
    if (learned) texts.facts.push_back({asked});
    // A learned question shows nothing twice: both probes ask it.
    for (Split split : {Split::kValidation, Split::kTest}) {
      if (!learned && split != question.split) continue;
      texts.probes.push_back({.question = asked,
                              .split = split,
                              .asked = learned,
                              .subject = subject,
                              .group = question.second_relation});
    }
    ++subject;
  }
  if (data.options.one_hop == 1) {
    for (const HopFact& fact : data.facts) {
      texts.facts.push_back(
          {{absl::StrCat("Q: Who is the ", data.relations[fact.relation],
                         " of ", data.names[fact.name], "?\nA:"),
            absl::StrCat(" ", data.names[fact.value])}});
    }
  }
  return texts;
}

std::string HopPromptLines(const HopData& data) {
  std::string lines;
  for (size_t i = 0; i < data.questions.size(); ++i) {
    const HopQuestion& question = data.questions[i];
    const std::string first = data.relations[question.first_relation];
    const std::string second = data.relations[question.second_relation];
    Json line = LineOf(data, question, static_cast<int>(i));
    if (data.options.answers == "implicit") {
      line["concept"] = {"first/" + first, "second/" + second};
      AddFirstTargets(data, question, "first/", line["targets"]);
      AddSecondTargets(data, question, "second/", line["targets"]);
      absl::StrAppend(&lines, line.dump(), "\n");
      continue;
    }
    line["concept"] = first;
    AddFirstTargets(data, question, "", line["targets"]);
    absl::StrAppend(&lines, line.dump(), "\n");
    // The bridge is given: what is bound there is the second step.
    line["prompt"] = absl::StrCat(PromptOf(data, question), " ",
                                  data.names[question.bridge]);
    line.erase("position");
    line["concept"] = second;
    line["answer"] = data.names[question.end];
    line["targets"] = Json::object();
    AddSecondTargets(data, question, "", line["targets"]);
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

std::string HopFactLines(const HopData& data) {
  std::string lines;
  for (const HopFact& fact : data.facts) {
    const Json line = {{"name", data.names[fact.name]},
                       {"relation", data.relations[fact.relation]},
                       {"value", data.names[fact.value]}};
    absl::StrAppend(&lines, line.dump(), "\n");
  }
  return lines;
}

}  // namespace alignsae
