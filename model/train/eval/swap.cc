#include "model/train/eval/swap.h"

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "model/base/answer_match.h"
#include "model/base/status_macros.h"
#include "model/train/common/decode.h"

namespace alignsae {
namespace {

// Gold answers of all people, as text and as first token.
class GoldAnswers {
 public:
  GoldAnswers(const EvalSet& set, const Tokenizer& tokenizer) : set_(set) {
    for (const EvalPerson& person : set.people) {
      std::vector<int32_t> first;
      for (const std::string& answer : person.answers) {
        const std::vector<int32_t> tokens = AnswerTokens(tokenizer, answer);
        first.push_back(tokens.empty() ? -1 : tokens.front());
      }
      first_tokens_.push_back(std::move(first));
    }
  }

  const std::string& text(int person, int relation) const {
    return set_.people[person].answers[relation];
  }
  int32_t first_token(int person, int relation) const {
    return first_tokens_[person][relation];
  }

 private:
  const EvalSet& set_;
  std::vector<std::vector<int32_t>> first_tokens_;  // [person][relation]
};

SuccessCounts Judge(const GoldAnswers& gold, int person, int relation,
                    const Tokenizer& tokenizer, const ArmAnswer& answer) {
  SuccessCounts counts;
  counts.tries = 1;
  if (answer.failed || answer.tokens.empty()) return counts;
  counts.first = answer.tokens.front() == gold.first_token(person, relation);
  // Ids come from the model, whose vocabulary may be padded beyond the
  // tokenizer's; such an answer has no text.
  const absl::StatusOr<std::string> text = tokenizer.Decode(answer.tokens);
  if (!text.ok()) return counts;
  counts.whole =
      answer.ended && WholeAnswerMatches(gold.text(person, relation), *text);
  counts.substring = SubstringMatches(gold.text(person, relation), *text);
  return counts;
}

absl::Status RunJobs(const EvalContext& context,
                     const std::vector<DecodeJob>& jobs, DecodeCalls calls) {
  if (context.on_progress) {
    int64_t total = 0;
    for (const DecodeJob& job : jobs) total += job.arms;
    calls.on_step = [&context, total](int64_t done) {
      return context.on_progress(done, total);
    };
  }
  return DecodeArms(
      context.executor, jobs,
      {.catalog = context.catalog, .max_tokens = context.max_tokens}, calls);
}

Intervention EditOf(const Steering& steering, int source, int target,
                    double alpha) {
  const Steering::Slots& slots = steering.slots[source][target];
  Intervention edit;
  edit.checkpoint = steering.checkpoint;
  edit.mode = steering.mode;
  edit.target_slot = slots.target;
  edit.source_slot = slots.source;
  edit.alpha = alpha;
  return edit;
}

// Whether the engine can run every edit: a step would not tell.
absl::Status CheckSteering(const EvalContext& context, const Steering& steering,
                           const std::vector<double>& alphas) {
  absl::Status status;
  for (int i = 0; i < context.set.relation_count(); ++i) {
    for (int j = 0; j < context.set.relation_count(); ++j) {
      if (i == j) continue;
      for (double alpha : alphas) {
        status.Update(
            context.executor.CheckIntervention(EditOf(steering, i, j, alpha)));
      }
    }
  }
  return status;
}

// The relations that prompt's person can be steered to.
std::vector<int> TargetsOf(const EvalSet& set, const EvalPrompt& prompt) {
  std::vector<int> targets;
  const std::vector<std::string>& answers = set.people[prompt.person].answers;
  for (int j = 0; j < set.relation_count(); ++j) {
    if (j == prompt.relation) continue;
    if (WholeAnswerMatches(answers[prompt.relation], answers[j])) continue;
    targets.push_back(j);
  }
  return targets;
}

}  // namespace

void SuccessCounts::Add(const SuccessCounts& other) {
  tries += other.tries;
  whole += other.whole;
  first += other.first;
  substring += other.substring;
}

SuccessCounts HalvesCounts::all() const {
  SuccessCounts sum = asked;
  sum.Add(never_asked);
  return sum;
}

void HalvesCounts::Add(const HalvesCounts& other) {
  asked.Add(other.asked);
  never_asked.Add(other.never_asked);
}

Steering SlotSteering(int checkpoint, InterventionMode mode,
                      const std::vector<int>& slot_of) {
  Steering steering{.checkpoint = checkpoint, .mode = mode, .slots = {}};
  for (int source : slot_of) {
    std::vector<Steering::Slots> row;
    for (int target : slot_of) {
      row.push_back({.source = IsTwoSlotMode(mode) ? std::optional<int>(source)
                                                   : std::nullopt,
                     .target = target});
    }
    steering.slots.push_back(std::move(row));
  }
  return steering;
}

HalvesCounts SwapTable::Total(size_t alpha) const {
  HalvesCounts sum;
  for (size_t j = 0; j < pairs[alpha].size(); ++j) {
    sum.Add(Target(alpha, static_cast<int>(j)));
  }
  return sum;
}

HalvesCounts SwapTable::Target(size_t alpha, int j) const {
  HalvesCounts sum;
  for (const auto& sources : pairs[alpha]) sum.Add(sources[j]);
  return sum;
}

size_t SwapTable::BestAlpha() const {
  size_t best = 0;
  for (size_t a = 1; a < alphas.size(); ++a) {
    const int64_t right = Total(a).all().whole;
    const int64_t best_right = Total(best).all().whole;
    if (right > best_right ||
        (right == best_right &&
         std::abs(alphas[a] - 1) < std::abs(alphas[best] - 1))) {
      best = a;
    }
  }
  return best;
}

double ChanceOf(const EvalSet& set, const std::vector<int>& people, int j) {
  std::map<std::string, int64_t> counts;
  for (int person : people) {
    ++counts[NormalizeAnswer(set.people[person].answers[j])];
  }
  double chance = 0;
  for (const auto& [answer, count] : counts) {
    const double p =
        static_cast<double>(count) / static_cast<double>(people.size());
    chance += p * p;
  }
  return chance;
}

double AboveChance(double success, double chance) {
  if (chance >= 1) return std::nan("");
  return (success - chance) / (1 - chance);
}

absl::StatusOr<SwapTable> MeasureSwaps(const EvalContext& context,
                                       const std::vector<EvalPrompt>& prompts,
                                       const Steering& steering,
                                       const std::vector<double>& alphas) {
  const size_t relations = context.set.relations.size();
  const GoldAnswers gold(context.set, context.tokenizer);
  SwapTable table;
  table.alphas = alphas;
  table.pairs.assign(alphas.size(),
                     std::vector<std::vector<HalvesCounts>>(
                         relations, std::vector<HalvesCounts>(relations)));
  ALIGNSAE_RETURN_IF_ERROR(CheckSteering(context, steering, alphas));
  std::set<int> people;
  for (const EvalPrompt& prompt : prompts) people.insert(prompt.person);
  for (size_t j = 0; j < relations; ++j) {
    table.chance.push_back(ChanceOf(context.set, {people.begin(), people.end()},
                                    static_cast<int>(j)));
  }
  std::vector<DecodeJob> jobs;
  std::vector<std::vector<int>> targets;
  for (const EvalPrompt& prompt : prompts) {
    targets.push_back(TargetsOf(context.set, prompt));
    jobs.push_back(
        {.prompt = prompt.tokens,
         .arms = static_cast<int>(targets.back().size() * alphas.size())});
  }
  // Arm a * targets + t is alpha a with target t.
  DecodeCalls calls;
  calls.interventions = [&](int job, int arm) {
    const std::vector<int>& choice = targets[job];
    const int target = choice[arm % choice.size()];
    Intervention edit = EditOf(steering, prompts[job].relation, target,
                               alphas[arm / choice.size()]);
    edit.positions.prompt = {static_cast<int>(jobs[job].prompt.size()) - 1};
    return std::make_shared<const std::vector<Intervention>>(1, edit);
  };
  calls.on_answer = [&](int job, int arm, const ArmAnswer& answer) {
    const EvalPrompt& prompt = prompts[job];
    const std::vector<int>& choice = targets[job];
    const int target = choice[arm % choice.size()];
    table.pairs[arm / choice.size()][prompt.relation][target]
        .of(context.set.people[prompt.person].asked)
        .Add(Judge(gold, prompt.person, target, context.tokenizer, answer));
  };
  ALIGNSAE_RETURN_IF_ERROR(RunJobs(context, jobs, calls));
  return table;
}

absl::StatusOr<std::vector<HalvesCounts>> MeasureAnswers(
    const EvalContext& context, const std::vector<EvalPrompt>& prompts) {
  const GoldAnswers gold(context.set, context.tokenizer);
  std::vector<HalvesCounts> by_relation(context.set.relations.size());
  std::vector<DecodeJob> jobs;
  for (const EvalPrompt& prompt : prompts) {
    jobs.push_back({.prompt = prompt.tokens, .arms = 1});
  }
  const auto no_edits = std::make_shared<const std::vector<Intervention>>();
  DecodeCalls calls;
  calls.interventions = [&](int, int) { return no_edits; };
  calls.on_answer = [&](int job, int, const ArmAnswer& answer) {
    const EvalPrompt& prompt = prompts[job];
    by_relation[prompt.relation]
        .of(context.set.people[prompt.person].asked)
        .Add(Judge(gold, prompt.person, prompt.relation, context.tokenizer,
                   answer));
  };
  ALIGNSAE_RETURN_IF_ERROR(RunJobs(context, jobs, calls));
  return by_relation;
}

}  // namespace alignsae
