#include "model/train/lm/probe.h"

#include <algorithm>
#include <memory>

#include "model/base/status_macros.h"
#include "model/engine/engine.h"
#include "model/train/common/memory_bundle.h"

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

struct ProbeSet {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::vector<int32_t>> answers;  // Without eos.
  std::vector<int> groups;
};

ProbeSet MakeProbeSet(const Tokenizer& tokenizer, const LmTexts& texts,
                      Split split, bool asked, int subjects) {
  ProbeSet set;
  int taken = 0;
  int last_subject = -1;
  for (const ProbeQuestion& probe : texts.probes) {
    if (probe.split != split || probe.asked != asked) continue;
    if (probe.subject != last_subject && ++taken > subjects) break;
    last_subject = probe.subject;
    set.prompts.push_back(tokenizer.Encode(probe.question.prompt));
    set.answers.push_back(tokenizer.Encode(probe.question.answer));
    set.groups.push_back(probe.group);
  }
  return set;
}

absl::StatusOr<HalfAccuracy> MeasureHalf(const Gpt2& model,
                                         const Tokenizer& tokenizer,
                                         const ProbeSet& set, size_t groups) {
  size_t longest = 0;
  for (const auto& answer : set.answers) {
    longest = std::max(longest, answer.size());
  }
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::vector<ArmAnswer> given,
      GreedyDecode(model, set.prompts, static_cast<int>(longest) + 1,
                   tokenizer.eos_token_id()));
  std::vector<int> right(groups);
  std::vector<int> tried(groups);
  for (size_t i = 0; i < given.size(); ++i) {
    const bool ok = given[i].ended && given[i].tokens == set.answers[i];
    right[set.groups[i]] += ok ? 1 : 0;
    ++tried[set.groups[i]];
  }
  HalfAccuracy accuracy;
  accuracy.by_group.resize(groups);
  int all_right = 0;
  int all_tried = 0;
  for (size_t g = 0; g < groups; ++g) {
    all_right += right[g];
    all_tried += tried[g];
    if (tried[g] > 0) {
      accuracy.by_group[g] = static_cast<double>(right[g]) / tried[g];
    }
  }
  if (all_tried > 0) accuracy.mean = static_cast<double>(all_right) / all_tried;
  return accuracy;
}

}  // namespace

absl::StatusOr<std::vector<ArmAnswer>> GreedyDecode(
    const Gpt2& model, absl::Span<const std::vector<int32_t>> prompts,
    int max_tokens, int32_t eos) {
  std::vector<ArmAnswer> answers(prompts.size());
  if (prompts.empty()) return answers;
  // Not owned: the engine ends with this call.
  const std::shared_ptr<const Transformer> borrowed(
      std::shared_ptr<const Transformer>(), &model);
  ALIGNSAE_ASSIGN_OR_RETURN(
      const std::shared_ptr<const Bundle> bundle,
      MemoryBundle(borrowed, /*tokenizer=*/nullptr, eos, /*saes=*/{}));
  const int slots =
      std::min(ProbeSlots(model.config()), static_cast<int>(prompts.size()));
  ALIGNSAE_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                            Engine::Create(bundle, {.kv_slots = slots}));
  std::vector<DecodeJob> jobs;
  for (const std::vector<int32_t>& prompt : prompts) {
    jobs.push_back({.prompt = prompt});
  }
  const auto no_edits = std::make_shared<const std::vector<Intervention>>();
  ALIGNSAE_RETURN_IF_ERROR(DecodeArms(
      *engine, jobs, {.catalog = bundle->catalog, .max_tokens = max_tokens},
      {.interventions = [&](int, int) { return no_edits; },
       .on_answer = [&](int job, int,
                        const ArmAnswer& answer) { answers[job] = answer; },
       .on_step = nullptr}));
  return answers;
}

nlohmann::ordered_json AccuracyToJson(const HalfAccuracy& accuracy,
                                      const std::vector<std::string>& groups) {
  nlohmann::ordered_json json = {{"mean", accuracy.mean}};
  for (size_t g = 0; g < groups.size(); ++g) {
    json[groups[g]] = accuracy.by_group[g];
  }
  return json;
}

absl::StatusOr<ProbeResult> ProbeAccuracy(const Gpt2& model,
                                          const Tokenizer& tokenizer,
                                          const LmTexts& texts, Split split,
                                          int subjects) {
  const auto half = [&](bool asked) {
    return MeasureHalf(model, tokenizer,
                       MakeProbeSet(tokenizer, texts, split, asked, subjects),
                       texts.groups.size());
  };
  ProbeResult result;
  ALIGNSAE_ASSIGN_OR_RETURN(result.asked, half(true));
  ALIGNSAE_ASSIGN_OR_RETURN(result.never_asked, half(false));
  return result;
}

}  // namespace alignsae
