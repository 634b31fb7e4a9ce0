#include "model/train/eval/examples.h"

#include <utility>

#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// The set with the first test wording of each relation alone.
EvalSet OneWordingEach(const EvalSet& set) {
  EvalSet small = set;
  small.wordings.clear();
  std::vector<bool> taken(set.relations.size(), false);
  for (const EvalWording& wording : set.wordings) {
    if (wording.split != Split::kTest || taken[wording.relation]) continue;
    taken[wording.relation] = true;
    small.wordings.push_back(wording);
  }
  return small;
}

std::vector<std::string> QuestionsAbout(const EvalSet& set, int person) {
  std::vector<std::string> questions(set.relations.size());
  for (const EvalWording& wording : set.wordings) {
    questions[wording.relation] = QuestionAbout(set, wording.pattern, person);
  }
  return questions;
}

bool AllRight(const SuccessCounts& counts) {
  return counts.tries > 0 && counts.whole == counts.tries;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ChooseExamples(
    EvalSubject& subject, const SteeringChoice& choice,
    const EvalOptions& options) {
  const EvalSet set = OneWordingEach(subject.set());
  EvalContext context = ContextOf(subject, options, nullptr, "examples");
  const EvalContext small{.executor = context.executor,
                          .tokenizer = context.tokenizer,
                          .set = set,
                          .catalog = context.catalog,
                          .max_tokens = context.max_tokens,
                          .on_progress = nullptr};
  const Steering steering = SteeringOf(subject, choice.checkpoint, choice.mode);
  std::vector<std::string> chosen(set.relations.size());
  for (size_t i = 0; i < set.people.size(); ++i) {
    const int person = static_cast<int>(i);
    const std::vector<EvalPrompt> prompts =
        MakePrompts(set, subject.tokenizer(), {person}, Split::kTest);
    ALIGNSAE_ASSIGN_OR_RETURN(const std::vector<HalvesCounts> answers,
                              MeasureAnswers(small, prompts));
    bool right = true;
    for (const HalvesCounts& counts : answers) {
      right = right && AllRight(counts.all());
    }
    if (!right) continue;
    if (chosen.front().empty()) chosen = QuestionsAbout(set, person);
    ALIGNSAE_ASSIGN_OR_RETURN(
        const SwapTable swaps,
        MeasureSwaps(small, prompts, steering, {choice.alpha}));
    if (AllRight(swaps.Total(0).all())) return QuestionsAbout(set, person);
  }
  return chosen;
}

}  // namespace alignsae
