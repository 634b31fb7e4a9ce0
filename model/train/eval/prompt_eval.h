// What a checkpoint does on labelled prompts of its test split: whether the
// slots read the concepts, stay silent where there is none, and write them.
//
// Shares come with their 95 % Wilson interval. Read as the server reads: at
// each prompt's position, or, where the checkpoint was trained on spans, as the
// mean over the position's text. SWAP at all tokens of that text, from the
// prompt's concept to each one that its `targets` name.
//
// Thread-safety: as EvalSubject.
// Errors: FAILED_PRECONDITION when the checkpoint's concepts are not the
// file's; those of TokenizePrompts and of the engine.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_PROMPT_EVAL_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_PROMPT_EVAL_H_

#include <string>

#include "absl/status/statusor.h"
#include "model/train/data/prompt_file.h"
#include "model/train/eval/subject.h"
#include "nlohmann/json.hpp"

namespace alignsae {

struct PromptEvalOptions {
  double alpha = 1;     // Of the swaps.
  int max_tokens = 12;  // Of an answer.
  int rows = 128;       // Sequences in one engine step, of a bundle.
};

// {"prompts": n, "negatives": n,
//  "read": share,              of prompts with one concept in a facet: the
//                              facet's highest slot is that concept
//  "concepts": {name: {"read": share, "bound": share,   bound: the slot
//                              reaches its threshold where the concept is
//                      "cosine": c, "written_share": w}},   sae/written.h
//  "silent": share,            of negatives: no slot reaches its threshold
//  "confusion": {name: {name: count}},    one concept; highest of its facet
//  "answers": share,           unsteered, of prompts with an answer
//  "swap": {"alpha": a, "all": share, "targets": {name: share}}}   instead of
//                              the prompt's one concept, or of its one in the
//                              target's facet
// A share is {"n", "rate", "low", "high"}; what nothing was measured on is
// left out.
absl::StatusOr<nlohmann::ordered_json> EvaluatePrompts(
    EvalSubject& subject, int checkpoint, const PromptSet& set,
    const PromptEvalOptions& options);

// Of the first checkpoint of a bundle, which has one.
absl::StatusOr<nlohmann::ordered_json> EvaluatePrompts(
    const Bundle& bundle, const PromptSet& set,
    const PromptEvalOptions& options);

// As a table for people.
std::string RenderPromptEvaluation(const nlohmann::ordered_json& evaluation);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_PROMPT_EVAL_H_
