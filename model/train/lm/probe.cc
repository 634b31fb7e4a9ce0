#include "model/train/lm/probe.h"

#include <algorithm>

#include "model/gpt2/gpt2.h"

namespace alignsae {
namespace {

// Bounds the cache: at GPT-2 small's shape one slot holds 75 MB.
constexpr int64_t kCacheFloats = int64_t{1} << 28;
constexpr int kMaxSlots = 128;

int ProbeSlots(const Gpt2Config& config) {
  const int64_t floats =
      int64_t{2} * config.n_layer * config.context_length * config.d_model;
  return static_cast<int>(
      std::clamp<int64_t>(kCacheFloats / floats, 1, kMaxSlots));
}

// Decodes one group of prompts, one cache slot each.
void DecodeGroup(const Gpt2& model,
                 absl::Span<const std::vector<int32_t>> prompts, int max_tokens,
                 int32_t eos, KvCache& cache, GreedyAnswer* answers) {
  const int context = model.config().context_length;
  std::vector<int> active(prompts.size());
  std::vector<int> length(prompts.size(), 0);  // Positions in the cache.
  std::vector<std::vector<int32_t>> next(prompts.begin(), prompts.end());
  for (size_t i = 0; i < prompts.size(); ++i) active[i] = static_cast<int>(i);
  while (!active.empty()) {
    std::vector<int32_t> tokens;
    std::vector<PackedRow> rows;
    for (int i : active) {
      PackedRow row;
      row.index = static_cast<int>(rows.size());
      row.kv_slot = i;
      row.start = length[i];
      row.length = static_cast<int>(next[i].size());
      row.exit_site = model.config().n_layer;
      row.logits = true;
      rows.push_back(row);
      tokens.insert(tokens.end(), next[i].begin(), next[i].end());
      length[i] += row.length;
    }
    const at::Tensor top = model.Forward(tokens, rows, cache, nullptr)
                               .argmax(-1)
                               .to(at::kCPU);  // [R] int64
    const int64_t* top_ids = top.data_ptr<int64_t>();
    std::vector<int> still_active;
    for (size_t r = 0; r < active.size(); ++r) {
      const int i = active[r];
      const int32_t id = static_cast<int32_t>(top_ids[r]);
      if (id == eos) {
        answers[i].ended = true;
        continue;
      }
      answers[i].tokens.push_back(id);
      next[i] = {id};
      if (static_cast<int>(answers[i].tokens.size()) < max_tokens &&
          length[i] < context) {
        still_active.push_back(i);
      }
    }
    active = std::move(still_active);
  }
}

struct ProbeSet {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::vector<int32_t>> answers;  // Without eos.
  std::vector<int> relations;
};

ProbeSet MakeProbeSet(const Tokenizer& tokenizer, const Corpus& corpus,
                      Split split, bool asked, int people) {
  ProbeSet set;
  int taken = 0;
  int last_person = -1;
  for (const Question& question : corpus.questions) {
    if (question.split != split ||
        corpus.people[question.person].asked != asked) {
      continue;
    }
    if (question.person != last_person && ++taken > people) break;
    last_person = question.person;
    set.prompts.push_back(tokenizer.Encode(question.prompt));
    set.answers.push_back(tokenizer.Encode(question.answer));
    set.relations.push_back(static_cast<int>(question.relation));
  }
  return set;
}

HalfAccuracy MeasureHalf(const Gpt2& model, const Tokenizer& tokenizer,
                         const ProbeSet& set) {
  size_t longest = 0;
  for (const auto& answer : set.answers) {
    longest = std::max(longest, answer.size());
  }
  const std::vector<GreedyAnswer> given =
      GreedyDecode(model, set.prompts, static_cast<int>(longest) + 1,
                   tokenizer.eos_token_id());
  std::array<int, kRelationCount> right = {};
  std::array<int, kRelationCount> tried = {};
  for (size_t i = 0; i < given.size(); ++i) {
    const bool ok = given[i].ended && given[i].tokens == set.answers[i];
    right[set.relations[i]] += ok ? 1 : 0;
    ++tried[set.relations[i]];
  }
  HalfAccuracy accuracy;
  int all_right = 0;
  int all_tried = 0;
  for (int r = 0; r < kRelationCount; ++r) {
    all_right += right[r];
    all_tried += tried[r];
    if (tried[r] > 0) {
      accuracy.by_relation[r] = static_cast<double>(right[r]) / tried[r];
    }
  }
  if (all_tried > 0) accuracy.mean = static_cast<double>(all_right) / all_tried;
  return accuracy;
}

}  // namespace

std::vector<GreedyAnswer> GreedyDecode(
    const Gpt2& model, absl::Span<const std::vector<int32_t>> prompts,
    int max_tokens, int32_t eos) {
  std::vector<GreedyAnswer> answers(prompts.size());
  if (prompts.empty()) return answers;
  const size_t slots =
      std::min<size_t>(ProbeSlots(model.config()), prompts.size());
  KvCache cache(model.config().facts(), static_cast<int>(slots), model.device(),
                model.kv_type());
  for (size_t begin = 0; begin < prompts.size(); begin += slots) {
    DecodeGroup(model, prompts.subspan(begin, slots), max_tokens, eos, cache,
                answers.data() + begin);
  }
  return answers;
}

ProbeResult ProbeAccuracy(const Gpt2& model, const Tokenizer& tokenizer,
                          const Corpus& corpus, Split split, int people) {
  ProbeResult result;
  result.asked = MeasureHalf(
      model, tokenizer, MakeProbeSet(tokenizer, corpus, split, true, people));
  result.never_asked = MeasureHalf(
      model, tokenizer, MakeProbeSet(tokenizer, corpus, split, false, people));
  return result;
}

}  // namespace alignsae
