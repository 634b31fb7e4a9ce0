#include "model/train/study/robustness.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "model/base/status_macros.h"
#include "model/tokenizer/prompt_template.h"
#include "model/train/common/readouts.h"
#include "model/train/eval/binding.h"
#include "model/train/eval/share.h"

namespace alignsae {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr int kDistanceGroups = 5;
constexpr int kMarginGroups = 4;

std::set<std::string> WordsOf(absl::string_view pattern) {
  std::string text =
      absl::AsciiStrToLower(absl::StrReplaceAll(pattern, {{kNameMark, " "}}));
  for (char& letter : text) {
    if (!absl::ascii_isalnum(letter)) letter = ' ';
  }
  return absl::StrSplit(text, ' ', absl::SkipEmpty());
}

// One measurement of a checkpoint.
class Robustness {
 public:
  Robustness(EvalSubject& subject, const SteeringChoice& choice,
             const EvalOptions& options)
      : subject_(subject),
        choice_(choice),
        options_(options),
        context_(ContextOf(subject, options, nullptr, "")) {}

  absl::StatusOr<OrderedJson> Run() {
    ALIGNSAE_RETURN_IF_ERROR(ByDistance());
    ALIGNSAE_RETURN_IF_ERROR(ByConfidence());
    ALIGNSAE_RETURN_IF_ERROR(TwoAsked());
    return groups_;
  }

 private:
  absl::Status ByDistance();
  absl::Status ByConfidence();
  absl::Status TwoAsked();
  // Reading and swaps of some prompts.
  absl::Status AddGroup(const std::string& name,
                        const std::vector<EvalPrompt>& prompts);
  double DistanceOf(const EvalPrompt& prompt) const;
  absl::StatusOr<std::vector<ConceptReading>> Read(
      const std::vector<EvalPrompt>& prompts);

  EvalSubject& subject_;
  const SteeringChoice& choice_;
  const EvalOptions& options_;
  EvalContext context_;
  OrderedJson groups_ = OrderedJson::array();
};

absl::Status Robustness::AddGroup(const std::string& name,
                                  const std::vector<EvalPrompt>& prompts) {
  if (prompts.empty()) return absl::OkStatus();
  const std::vector<double> thresholds(subject_.set().relations.size(), 0);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const BindingTable binding,
      MeasureBinding(context_, prompts, choice_.checkpoint, thresholds));
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SwapTable swaps,
      MeasureSwaps(context_, prompts,
                   SteeringOf(subject_, choice_.checkpoint, choice_.mode),
                   {choice_.alpha}));
  const BindingCounts read = binding.all();
  const SuccessCounts swapped = swaps.Total(0).all();
  OrderedJson group = {
      {"group", name},
      {"prompts", prompts.size()},
      {"read", ShareToJson(static_cast<double>(read.top1),
                           static_cast<double>(read.prompts))}};
  if (swapped.tries > 0) {
    group["swap"] = ShareToJson(static_cast<double>(swapped.whole),
                                static_cast<double>(swapped.tries));
  }
  groups_.push_back(std::move(group));
  return absl::OkStatus();
}

double Robustness::DistanceOf(const EvalPrompt& prompt) const {
  const auto pattern = [&](auto&& wanted) {
    std::vector<std::string> patterns;
    for (const EvalWording& wording : subject_.set().wordings) {
      if (wording.relation == prompt.relation && wanted(wording)) {
        patterns.push_back(wording.pattern);
      }
    }
    return patterns;
  };
  const std::vector<std::string> own = pattern(
      [&](const EvalWording& w) { return w.wording == prompt.wording; });
  double nearest = 1;
  for (const std::string& trained : pattern(
           [](const EvalWording& w) { return w.split == Split::kSaeTrain; })) {
    nearest = std::min(nearest, WordDistance(own.front(), trained));
  }
  return nearest;
}

absl::Status Robustness::ByDistance() {
  std::vector<std::vector<EvalPrompt>> groups(kDistanceGroups);
  std::vector<Split> splits(kHeldOutSplits.begin(), kHeldOutSplits.end());
  splits.push_back(Split::kTest);
  for (Split split : splits) {
    for (EvalPrompt& prompt : PromptsOf(subject_, options_.sample, split)) {
      const int group = static_cast<int>(DistanceOf(prompt) * kDistanceGroups);
      groups[std::min(group, kDistanceGroups - 1)].push_back(std::move(prompt));
    }
  }
  for (int g = 0; g < kDistanceGroups; ++g) {
    ALIGNSAE_RETURN_IF_ERROR(
        AddGroup(absl::StrFormat("distance %.1f to %.1f",
                                 static_cast<double>(g) / kDistanceGroups,
                                 static_cast<double>(g + 1) / kDistanceGroups),
                 groups[g]));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ConceptReading>> Robustness::Read(
    const std::vector<EvalPrompt>& prompts) {
  std::vector<ReadPlace> places;
  for (const EvalPrompt& prompt : prompts) {
    places.push_back(
        {prompt.tokens, {static_cast<int>(prompt.tokens.size()) - 1}});
  }
  return ReadEach(subject_.engine(), subject_.catalog(), choice_.checkpoint,
                  places);
}

absl::Status Robustness::ByConfidence() {
  const std::vector<EvalPrompt> prompts =
      PromptsOf(subject_, options_.sample, Split::kTest);
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<ConceptReading> readings,
                            Read(prompts));
  std::vector<size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return readings[a].margin < readings[b].margin;
  });
  for (size_t g = 0; g < kMarginGroups; ++g) {
    std::vector<EvalPrompt> group;
    for (size_t i = order.size() * g / kMarginGroups;
         i < order.size() * (g + 1) / kMarginGroups; ++i) {
      group.push_back(prompts[order[i]]);
    }
    ALIGNSAE_RETURN_IF_ERROR(
        AddGroup(absl::StrCat("confidence, quarter ", g + 1), group));
  }
  return absl::OkStatus();
}

absl::Status Robustness::TwoAsked() {
  const EvalSet& set = subject_.set();
  std::map<int, std::string> first_pattern;  // By relation, test wordings.
  for (const EvalWording& wording : set.wordings) {
    if (wording.split == Split::kTest) {
      first_pattern.emplace(wording.relation, wording.pattern);
    }
  }
  std::vector<EvalPrompt> prompts;
  std::vector<std::pair<int, int>> asked;
  for (int person : SamplePeople(set, options_.sample)) {
    for (const auto& [i, one] : first_pattern) {
      for (const auto& [j, other] : first_pattern) {
        if (i == j) continue;
        EvalPrompt prompt;
        prompt.person = person;
        prompt.relation = i;
        const FilledTemplate filled = FillTemplate(
            set.prompt_template,
            QuestionAbout(set, absl::StrCat(one, " ", other), person));
        prompt.tokens = subject_.tokenizer().Encode(
            filled.text, {.special_in = filled.of_template});
        prompts.push_back(std::move(prompt));
        asked.emplace_back(i, j);
      }
    }
  }
  if (prompts.empty()) return absl::OkStatus();
  ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<ConceptReading> readings,
                            Read(prompts));
  double one_of_both = 0;
  double both = 0;
  for (size_t n = 0; n < readings.size(); ++n) {
    const auto& [i, j] = asked[n];
    const std::vector<float>& p = readings[n].probabilities;
    one_of_both += readings[n].top == i || readings[n].top == j;
    both += std::count_if(p.begin(), p.end(), [&, i = i, j = j](float other) {
              return other > std::min(p[i], p[j]);
            }) < 2;
  }
  const auto n = static_cast<double>(prompts.size());
  groups_.push_back({{"group", "two asked"},
                     {"prompts", prompts.size()},
                     {"read", ShareToJson(one_of_both, n)},
                     {"both", ShareToJson(both, n)}});
  return absl::OkStatus();
}

}  // namespace

double WordDistance(absl::string_view a, absl::string_view b) {
  const std::set<std::string> one = WordsOf(a);
  const std::set<std::string> other = WordsOf(b);
  size_t common = 0;
  for (const std::string& word : one) common += other.count(word);
  const size_t all = one.size() + other.size() - common;
  return all == 0 ? 0
                  : 1 - static_cast<double>(common) / static_cast<double>(all);
}

absl::StatusOr<OrderedJson> MeasureRobustness(EvalSubject& subject,
                                              const SteeringChoice& choice,
                                              const EvalOptions& options) {
  return Robustness(subject, choice, options).Run();
}

}  // namespace alignsae
