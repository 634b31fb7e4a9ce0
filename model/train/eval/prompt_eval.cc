#include "model/train/eval/prompt_eval.h"

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/base/answer_match.h"
#include "model/base/status_macros.h"
#include "model/train/common/decode.h"
#include "model/train/common/readouts.h"
#include "model/train/common/signatures.h"
#include "model/train/data/prompt_tokens.h"
#include "model/train/eval/certificate.h"
#include "model/train/eval/share.h"
#include "model/train/sae/data.h"

namespace alignsae {
namespace {

using OrderedJson = nlohmann::ordered_json;

struct Share {
  int64_t n = 0;
  int64_t right = 0;

  void Add(bool is_right) {
    ++n;
    right += is_right ? 1 : 0;
  }
  OrderedJson ToJson() const {
    return ShareToJson(static_cast<double>(right), static_cast<double>(n));
  }
  void AddTo(OrderedJson& json, const std::string& key) const {
    if (n > 0) json[key] = ToJson();
  }
};

// One measurement: the test prompts of a set, and a checkpoint.
class PromptEval {
 public:
  PromptEval(EvalSubject& subject, int checkpoint, const PromptSet& set,
             const PromptEvalOptions& options)
      : subject_(subject),
        checkpoint_(checkpoint),
        set_(set),
        options_(options),
        concepts_(subject.catalog()->checkpoints[checkpoint].concepts),
        facets_(FacetsOf(set.concepts)) {}

  absl::StatusOr<OrderedJson> Run() {
    ALIGNSAE_ASSIGN_OR_RETURN(
        std::vector<PositionedPrompt> all,
        TokenizePrompts(set_, subject_.tokenizer(),
                        subject_.model().facts().context_length,
                        subject_.model().facts().vocab_size,
                        FirstToken(sae().config(), subject_.tokenizer())));
    OrderedJson json;
    ALIGNSAE_ASSIGN_OR_RETURN(
        const QuestionResiduals residuals,
        CollectPrompts(subject_.model(), subject_.tokenizer(), set_, all,
                       Split::kTest, {sae().config().hook},
                       sae().config().trained));
    for (size_t i = 0; i < all.size(); ++i) {
      if (set_.prompts[i].split != Split::kTest) continue;
      prompts_.push_back(&set_.prompts[i]);
      located_.push_back(std::move(all[i]));
    }
    ALIGNSAE_RETURN_IF_ERROR(Read(json));
    ALIGNSAE_RETURN_IF_ERROR(Write(residuals, json));
    ALIGNSAE_RETURN_IF_ERROR(Answer(json));
    ALIGNSAE_RETURN_IF_ERROR(Swap(json));
    return json;
  }

 private:
  const Sae& sae() const { return subject_.saes()[checkpoint_]; }
  absl::Status Read(OrderedJson& json);
  // What the slots write; needs no answers.
  absl::Status Write(const QuestionResiduals& residuals, OrderedJson& json);
  absl::Status Answer(OrderedJson& json);
  absl::Status Swap(OrderedJson& json);
  // Whether each arm's answer is right, by the text that it should give.
  absl::Status Decode(
      const std::vector<DecodeJob>& jobs,
      const std::function<InterventionList(int job, int arm)>& interventions,
      const std::function<void(int job, int arm, const std::string& text)>& on);
  // Of the facet of `concept_index`, the concept with the highest probability.
  int TopOfFacet(const ConceptReading& reading, int concept_index) const;
  // Concepts of the prompt in the facet of `concept_index`.
  int CountInFacet(const LabelledPrompt& prompt, int concept_index) const;
  // The concept that a swap to `target` takes away: the prompt's only one, or
  // the only one of the target's facet; -1: there is none.
  int SourceOf(const LabelledPrompt& prompt, int target) const;
  const std::vector<int>& FacetOf(int concept_index) const {
    return *std::find_if(facets_.begin(), facets_.end(), [&](const auto& f) {
      return std::binary_search(f.begin(), f.end(), concept_index);
    });
  }

  EvalSubject& subject_;
  const int checkpoint_;
  const PromptSet& set_;
  const PromptEvalOptions& options_;
  const std::vector<Concept>& concepts_;
  const std::vector<std::vector<int>> facets_;
  std::vector<const LabelledPrompt*> prompts_;  // Of the test split.
  std::vector<PositionedPrompt> located_;
};

int PromptEval::TopOfFacet(const ConceptReading& reading,
                           int concept_index) const {
  const std::vector<int>& facet = FacetOf(concept_index);
  return *std::max_element(facet.begin(), facet.end(), [&](int a, int b) {
    return reading.probabilities[a] < reading.probabilities[b];
  });
}

int PromptEval::CountInFacet(const LabelledPrompt& prompt,
                             int concept_index) const {
  const std::vector<int>& facet = FacetOf(concept_index);
  return static_cast<int>(
      std::count_if(prompt.concepts.begin(), prompt.concepts.end(), [&](int c) {
        return std::binary_search(facet.begin(), facet.end(), c);
      }));
}

int PromptEval::SourceOf(const LabelledPrompt& prompt, int target) const {
  if (prompt.concepts.size() == 1) return prompt.concepts[0];
  if (CountInFacet(prompt, target) != 1) return -1;
  const std::vector<int>& facet = FacetOf(target);
  return *std::find_if(
      prompt.concepts.begin(), prompt.concepts.end(),
      [&](int c) { return std::binary_search(facet.begin(), facet.end(), c); });
}

absl::Status PromptEval::Read(OrderedJson& json) {
  const bool reads_spans = sae().config().trained == TrainedPositions::kSpan;
  std::vector<ReadPlace> places;
  for (const PositionedPrompt& prompt : located_) {
    places.push_back({prompt.tokens, reads_spans
                                         ? prompt.Span()
                                         : std::vector<int>{prompt.position}});
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<ConceptReading> readings,
      ReadEach(subject_.engine(), subject_.catalog(), checkpoint_, places));
  Share read, silent;
  std::vector<Share> own_read(concepts_.size()), own_bound(concepts_.size());
  std::map<std::string, std::map<std::string, int64_t>> confusion;
  for (size_t i = 0; i < readings.size(); ++i) {
    const ConceptReading& reading = readings[i];
    if (prompts_[i]->concepts.empty()) silent.Add(!reading.bound);
    for (int c : prompts_[i]->concepts) {
      own_bound[c].Add(reading.values[c] >= concepts_[c].threshold);
      if (CountInFacet(*prompts_[i], c) != 1) continue;
      const int top = TopOfFacet(reading, c);
      read.Add(top == c);
      own_read[c].Add(top == c);
      ++confusion[set_.concepts[c]][set_.concepts[top]];
    }
  }
  json["prompts"] = prompts_.size();
  json["negatives"] = silent.n;
  read.AddTo(json, "read");
  for (size_t c = 0; c < concepts_.size(); ++c) {
    OrderedJson& entry = json["concepts"][set_.concepts[c]];
    own_read[c].AddTo(entry, "read");
    own_bound[c].AddTo(entry, "bound");
  }
  silent.AddTo(json, "silent");
  json["confusion"] = confusion;
  return absl::OkStatus();
}

absl::Status PromptEval::Write(const QuestionResiduals& residuals,
                               OrderedJson& json) {
  ALIGNSAE_ASSIGN_OR_RETURN(const Certified certified,
                            CertifyResiduals(sae(), residuals));
  for (size_t c = 0; c < concepts_.size(); ++c) {
    OrderedJson& entry = json["concepts"][set_.concepts[c]];
    entry["cosine"] = certified.certificates[c].cosine;
    entry["written_share"] = certified.certificates[c].written_share;
  }
  return absl::OkStatus();
}

absl::Status PromptEval::Decode(
    const std::vector<DecodeJob>& jobs,
    const std::function<InterventionList(int job, int arm)>& interventions,
    const std::function<void(int job, int arm, const std::string& text)>& on) {
  DecodeCalls calls;
  calls.interventions = interventions;
  calls.on_answer = [&](int job, int arm, const ArmAnswer& answer) {
    // What is cut or has no text is no answer.
    const absl::StatusOr<std::string> text =
        subject_.tokenizer().Decode(answer.tokens);
    on(job, arm,
       text.ok() && answer.ended && !answer.failed ? *text : std::string());
  };
  return DecodeArms(
      subject_.engine(), jobs,
      {.catalog = subject_.catalog(), .max_tokens = options_.max_tokens},
      calls);
}

absl::Status PromptEval::Answer(OrderedJson& json) {
  std::vector<DecodeJob> jobs;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    jobs.push_back({.prompt = located_[i].tokens,
                    .arms = prompts_[i]->answer.empty() ? 0 : 1});
  }
  const auto no_edits = std::make_shared<const std::vector<Intervention>>();
  Share answers;
  ALIGNSAE_RETURN_IF_ERROR(Decode(
      jobs, [&](int, int) { return no_edits; },
      [&](int job, int, const std::string& text) {
        answers.Add(WholeAnswerMatches(prompts_[job]->answer, text));
      }));
  answers.AddTo(json, "answers");
  return absl::OkStatus();
}

absl::Status PromptEval::Swap(OrderedJson& json) {
  struct Arm {
    int source = 0;
    int target = 0;
    std::string gold;
  };
  std::vector<DecodeJob> jobs;
  std::vector<std::vector<Arm>> targets;
  for (size_t i = 0; i < prompts_.size(); ++i) {
    targets.emplace_back();
    for (const auto& [target, gold] : prompts_[i]->targets) {
      const int source = SourceOf(*prompts_[i], target);
      if (source >= 0) targets.back().push_back({source, target, gold});
    }
    jobs.push_back({.prompt = located_[i].tokens,
                    .arms = static_cast<int>(targets.back().size())});
  }
  const auto edit_of = [&](int job, int arm) {
    Intervention edit;
    edit.checkpoint = checkpoint_;
    edit.mode = InterventionMode::kSwap;
    edit.source_slot = concepts_[targets[job][arm].source].slot;
    edit.target_slot = concepts_[targets[job][arm].target].slot;
    edit.alpha = options_.alpha;
    edit.positions.prompt = located_[job].Span();
    return edit;
  };
  for (size_t job = 0; job < jobs.size(); ++job) {
    for (int arm = 0; arm < jobs[job].arms; ++arm) {
      ALIGNSAE_RETURN_IF_ERROR(subject_.engine().CheckIntervention(
          edit_of(static_cast<int>(job), arm)));
    }
  }
  Share all;
  std::vector<Share> by_target(concepts_.size());
  ALIGNSAE_RETURN_IF_ERROR(Decode(
      jobs,
      [&](int job, int arm) {
        return std::make_shared<const std::vector<Intervention>>(
            1, edit_of(job, arm));
      },
      [&](int job, int arm, const std::string& text) {
        const Arm& tried = targets[job][arm];
        const bool right = WholeAnswerMatches(tried.gold, text);
        all.Add(right);
        by_target[tried.target].Add(right);
      }));
  if (all.n == 0) return absl::OkStatus();
  json["swap"] = {{"alpha", options_.alpha}, {"all", all.ToJson()}};
  for (size_t c = 0; c < concepts_.size(); ++c) {
    by_target[c].AddTo(json["swap"]["targets"], set_.concepts[c]);
  }
  return absl::OkStatus();
}

// What the figures show to have gone wrong.
std::string WrongText(const OrderedJson& evaluation) {
  const auto rate = [&evaluation](const char* path) {
    const OrderedJson::json_pointer at(path);
    return evaluation.contains(at)
               ? std::optional<double>(evaluation.at(at).get<double>())
               : std::nullopt;
  };
  RecipeFigures figures;
  figures.read = rate("/read/rate");
  figures.swap = rate("/swap/all/rate");
  figures.alpha = rate("/swap/alpha");
  for (const OrderedJson& entry : evaluation.at("concepts")) {
    const double cosine = entry.value("cosine", 1.0);
    const double share = entry.value("written_share", 1.0);
    figures.cosine = std::min(cosine, figures.cosine.value_or(cosine));
    figures.written_share =
        std::min(share, figures.written_share.value_or(share));
  }
  const std::string text = RenderSignatures(SignaturesOf(figures));
  return text.empty() ? "" : "\nWhat the figures show\n" + text;
}

std::string ShareOfText(const OrderedJson& parent, const std::string& key) {
  const auto share = parent.find(key);
  if (share == parent.end()) return "-";
  return absl::StrCat(ShareText(*share), " of ", share->at("n").get<int64_t>());
}

std::string NumberOf(const OrderedJson& parent, const std::string& key) {
  const auto number = parent.find(key);
  if (number == parent.end()) return "-";
  return absl::StrFormat("%.3f", number->get<double>());
}

}  // namespace

absl::StatusOr<OrderedJson> EvaluatePrompts(EvalSubject& subject,
                                            int checkpoint,
                                            const PromptSet& set,
                                            const PromptEvalOptions& options) {
  ALIGNSAE_RETURN_IF_ERROR(CheckConcepts(subject.saes().at(checkpoint), set));
  return PromptEval(subject, checkpoint, set, options).Run();
}

absl::StatusOr<OrderedJson> EvaluatePrompts(const Bundle& bundle,
                                            const PromptSet& set,
                                            const PromptEvalOptions& options) {
  const EvalSet nobody;
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::unique_ptr<EvalSubject> subject,
      EvalSubject::Create({bundle.model, bundle.tokenizer, &nobody},
                          {bundle.saes.front()}, options.rows));
  return EvaluatePrompts(*subject, /*checkpoint=*/0, set, options);
}

std::string RenderPromptEvaluation(const OrderedJson& evaluation) {
  std::string text =
      absl::StrFormat("%d test prompts, %d of them without a concept\n\n",
                      evaluation.at("prompts").get<int64_t>(),
                      evaluation.at("negatives").get<int64_t>());
  const auto line = [&](const std::string& name, const std::string& value) {
    absl::StrAppendFormat(&text, "%-28s %s\n", name, value);
  };
  line("concept read", ShareOfText(evaluation, "read"));
  line("silent without a concept", ShareOfText(evaluation, "silent"));
  line("answers", ShareOfText(evaluation, "answers"));
  const OrderedJson swap = evaluation.value("swap", OrderedJson::object());
  line("swap", ShareOfText(swap, "all"));
  const OrderedJson targets = swap.value("targets", OrderedJson::object());
  absl::StrAppendFormat(&text, "\n%-28s %-30s %-30s %7s %8s  %s\n", "concept",
                        "read", "bound", "cosine", "written", "swap to it");
  for (const auto& [name, entry] : evaluation.at("concepts").items()) {
    absl::StrAppendFormat(
        &text, "%-28s %-30s %-30s %7s %8s  %s\n", name,
        ShareOfText(entry, "read"), ShareOfText(entry, "bound"),
        NumberOf(entry, "cosine"), NumberOf(entry, "written_share"),
        ShareOfText(targets, name));
  }
  return text + WrongText(evaluation);
}

}  // namespace alignsae
