#include "model/train/data/grammar.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "model/train/common/random_order.h"

namespace alignsae {
namespace {

struct Frame {
  absl::string_view family;
  absl::string_view pattern;
};

// {N} a noun, {A} an ask ({a} inside a sentence), {E} an embedded clause, {I} a
// clause with its question word in place, {P} a passive. The frames of today's
// unseen wordings ("Which date is the ... of", "I would like to know ...") are
// not here.
constexpr Frame kFrames[] = {
    {"question", "{A}?"},
    {"question", "What is the {N} of {name}?"},
    {"question", "{A}"},
    {"command", "Tell me the {N} of {name}."},
    {"command", "Name the {N} of {name}."},
    {"command", "Say {E}."},
    {"command", "Show the {N} of {name}"},
    {"fragment", "The {N} of {name}"},
    {"fragment", "{name}, {N}?"},
    {"fragment", "{N} {name}"},
    {"fragment", "{name}: {N}"},
    {"possessive", "What is {name}'s {N}?"},
    {"possessive", "{name}'s {N}?"},
    {"possessive", "Tell me {name}'s {N}."},
    {"possessive", "What's {name}'s {N}"},
    {"inverted", "{I}?"},
    {"inverted", "The {N} of {name} is what?"},
    {"inverted", "{name} has what {N}?"},
    {"inverted", "{name}'s {N} is what?"},
    {"embedded", "Do you know {E}?"},
    {"embedded", "I wonder {E}."},
    {"embedded", "Can you find out what the {N} of {name} is?"},
    {"embedded", "We must learn {E}."},
    {"chatty", "Hello, {a}?"},
    {"chatty", "Quick question: {a}?"},
    {"chatty", "Hey, what is {name}'s {N}?"},
    {"chatty", "So what is the {N} of {name}, thanks"},
    {"passive", "{P}?"},
    {"passive", "What is given as the {N} of {name}?"},
    {"passive", "What was written down as {name}'s {N}?"},
    {"polite", "Please tell me the {N} of {name}."},
    {"polite", "Could you please say {E}?"},
    {"polite", "Would you kindly give me {name}'s {N}?"},
    {"topic", "About {name}: what is the {N}?"},
    {"topic", "As for {name}, the {N}?"},
    {"need", "I need the {N} of {name}."},
    {"need", "I am looking for {name}'s {N}."},
    {"need", "My form asks {E}."},
    {"cleft", "What is it that we call the {N} of {name}?"},
    {"cleft", "It is the {N} of {name} that I want."},
    {"conditional", "If you happen to know {E}, tell me."},
    {"conditional",
     "If somebody asked for {name}'s {N}, what should I answer?"},
};

Split SplitOfFamily(absl::string_view family) {
  if (family == "passive") return Split::kValidation;
  if (family == "polite" || family == "topic") return Split::kTest;
  if (family == "need" || family == "cleft" || family == "conditional") {
    return Split::kFamilies;
  }
  return Split::kSaeTrain;
}

// "When was" -> "when was": for a clause behind a comma. Names stay.
std::string LowerFirst(std::string text) {
  if (!text.empty() && text[0] != '{') text[0] = absl::ascii_tolower(text[0]);
  return text;
}

std::string UpperFirst(std::string text) {
  if (!text.empty()) text[0] = absl::ascii_toupper(text[0]);
  return text;
}

// One filled frame; `noun`: the index of its noun, or -1.
struct Filled {
  std::string family;
  std::string pattern;
  int noun = -1;
};

// The frame with each word of its list.
std::vector<Filled> Fill(const Frame& frame, const Lexicon& lexicon,
                         const std::vector<std::string>& nouns) {
  const struct {
    absl::string_view mark;
    const std::vector<std::string>& words;
  } lists[] = {{"{N}", nouns},
               {"{A}", lexicon.asks},
               {"{a}", lexicon.asks},
               {"{E}", lexicon.embeds},
               {"{I}", lexicon.in_place},
               {"{P}", lexicon.passives}};
  std::vector<Filled> filled;
  for (const auto& list : lists) {
    if (frame.pattern.find(list.mark) == frame.pattern.npos) continue;
    for (size_t i = 0; i < list.words.size(); ++i) {
      std::string word = list.words[i];
      if (list.mark == "{a}") word = LowerFirst(std::move(word));
      std::string pattern =
          absl::StrReplaceAll(frame.pattern, {{list.mark, word}});
      filled.push_back({std::string(frame.family),
                        UpperFirst(std::move(pattern)),
                        list.mark == "{N}" ? static_cast<int>(i) : -1});
    }
  }
  return filled;
}

// At most `most` of them, evenly spread.
std::vector<Filled> Spread(const std::vector<Filled>& all, size_t most) {
  if (all.size() <= most) return all;
  std::vector<Filled> some;
  for (size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
  return some;
}

constexpr absl::string_view kNoise[] = {
    "so",     "well",  "now",    "then",    "maybe",  "again",  "just",
    "here",   "there", "really", "today",   "ever",   "also",   "still",
    "please", "ok",    "right",  "fine",    "good",   "quick",  "small",
    "old",    "new",   "first",  "last",    "next",   "other",  "same",
    "own",    "sure",  "yes",    "no",      "this",   "that",   "these",
    "those",  "some",  "any",    "all",     "each",   "them",   "him",
    "her",    "us",    "me",     "you",     "it",     "one",    "two",
    "three",  "thing", "time",   "way",     "line",   "page",   "list",
    "note",   "card",  "file",   "quiz",    "game",   "paper",  "story",
    "friend", "with",  "from",   "into",    "over",   "under",  "after",
    "before", "since", "while",  "because", "though", "until",  "once",
    "twice",  "never", "always", "blue",    "green",  "round",  "table",
    "chair",  "door",  "water",  "bread",   "summer", "winter", "street",
    "river",  "music", "color",  "number",  "letter"};

// A fragment or possessive with one to three random words before and up to two
// behind it.
std::vector<Filled> Noisy(const Lexicon& lexicon, int number) {
  CounterRng rng = RandomStream(0, RandomPurpose::kNoise, number);
  const auto words = [&rng](uint64_t count) {
    std::vector<absl::string_view> list;
    for (uint64_t i = 0; i < count; ++i) {
      list.push_back(kNoise[rng.NextBelow(std::size(kNoise))]);
    }
    return absl::StrJoin(list, " ");
  };
  std::vector<Filled> filled;
  for (int i = 0; i < kNoisyWordings; ++i) {
    const int noun = i % static_cast<int>(lexicon.nouns.size());
    const std::string core =
        i % 2 == 0 ? absl::StrCat("the ", lexicon.nouns[noun], " of {name}")
                   : absl::StrCat("{name}'s ", lexicon.nouns[noun]);
    const std::string before = words(1 + rng.NextBelow(3));
    const std::string behind = words(rng.NextBelow(3));
    filled.push_back(
        {"noisy",
         UpperFirst(absl::StrCat(before, " ", core, behind.empty() ? "" : " ",
                                 behind, i % 3 == 0 ? "?" : "")),
         noun});
  }
  return filled;
}

// Adds wordings, each pattern once.
class Collector {
 public:
  explicit Collector(RelationWords& words) : words_(words) {}

  void Add(const Filled& filled, Split split) {
    Add(filled.pattern, split, filled.family);
  }
  void Add(const std::string& pattern, Split split, const std::string& family) {
    if (!seen_.insert(absl::AsciiStrToLower(pattern)).second) return;
    words_.questions.push_back(
        {.pattern = pattern, .split = split, .family = family});
  }

 private:
  RelationWords& words_;
  std::set<std::string> seen_;
};

// A family that trains: some of those with the first nouns train the SAE.
void AddTrained(const std::vector<Filled>& all, int held_from_sae,
                Collector& out) {
  std::vector<Filled> for_sae;
  for (const Filled& filled : all) {
    if (filled.noun != held_from_sae) for_sae.push_back(filled);
  }
  for_sae = Spread(for_sae, kSaeWordingsPerFamily);
  for (const Filled& filled : all) {
    const bool trains = std::any_of(
        for_sae.begin(), for_sae.end(),
        [&](const Filled& other) { return other.pattern == filled.pattern; });
    out.Add(filled, trains ? Split::kSaeTrain : Split::kLmOnly);
  }
}

}  // namespace

std::vector<std::string> GrammarFamilies() {
  std::vector<std::string> families;
  for (const Frame& frame : kFrames) {
    if (families.empty() || families.back() != frame.family) {
      families.emplace_back(frame.family);
    }
  }
  families.emplace_back("noisy");
  return families;
}

RelationWords WordsOf(const Lexicon& lexicon, int number) {
  RelationWords words;
  words.name = lexicon.name;
  words.description = lexicon.description;
  words.sentences = lexicon.sentences;
  Collector out(words);
  // First, so that no frame gives them to somebody else.
  for (const std::string& pattern : lexicon.unseen) {
    out.Add(pattern, Split::kUnseen, "");
  }
  for (const std::string& pattern : lexicon.by_hand) {
    out.Add(pattern, Split::kByHand, "");
  }
  const int last_noun = static_cast<int>(lexicon.nouns.size()) - 1;
  std::vector<Filled> held_families, synonyms;
  for (const std::string& family : GrammarFamilies()) {
    std::vector<Filled> all;
    for (const Frame& frame : kFrames) {
      if (frame.family != family) continue;
      for (Filled& filled : Fill(frame, lexicon, lexicon.nouns)) {
        all.push_back(std::move(filled));
      }
      // Texts have a held-out noun in small letters only: not at the beginning.
      if (SplitOfFamily(family) != Split::kSaeTrain ||
          absl::StartsWith(frame.pattern, "{N}")) {
        continue;
      }
      for (Filled& filled : Fill(frame, lexicon, lexicon.held_nouns)) {
        if (filled.noun >= 0) synonyms.push_back(std::move(filled));
      }
    }
    if (family == "noisy") all = Noisy(lexicon, number);
    const Split split = SplitOfFamily(family);
    if (split == Split::kSaeTrain) {
      AddTrained(all, last_noun, out);
    } else if (split == Split::kFamilies) {
      held_families.insert(held_families.end(), all.begin(), all.end());
    } else {
      for (const Filled& filled : Spread(all, kMeasuredWordings / 2)) {
        out.Add(filled, split);
      }
    }
  }
  for (const Filled& filled : Spread(held_families, kMeasuredWordings)) {
    out.Add(filled, Split::kFamilies);
  }
  for (const Filled& filled : Spread(synonyms, kMeasuredWordings)) {
    out.Add(filled, Split::kSynonyms);
  }
  return words;
}

}  // namespace alignsae
