// Evaluation tables as JSON (stored in bundle.json) and as text for people. The
// text is made from the JSON, so that a stored evaluation prints like a fresh
// one.
//
// Rates are rounded to four decimals: they come from counts in the hundreds.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_REPORT_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_REPORT_H_

#include <string>
#include <vector>

#include "model/steering/write_certificate.h"
#include "model/train/common/signatures.h"
#include "model/train/eval/binding.h"
#include "model/train/eval/dictionary.h"
#include "model/train/eval/swap.h"
#include "nlohmann/json.hpp"

namespace alignsae {

double Rounded(double value);  // Four decimals.

// {"all": {"tries", "whole", "first", "substring"}, "asked", "never_asked"}
nlohmann::json HalvesToJson(const HalvesCounts& counts);

// HalvesToJson plus "by_relation".
nlohmann::json AnswersToJson(const std::vector<HalvesCounts>& by_relation,
                             const std::vector<std::string>& relations);

// The chosen alpha in full ("all", "asked", "never_asked", "by_target",
// "pairs") and "alpha_curve" over all of them.
nlohmann::json SwapsToJson(const SwapTable& table, size_t chosen,
                           InterventionMode mode,
                           const std::vector<std::string>& relations);

// "diagonal_accuracy", "top2", "top3", "margin", "bound", "own_bound", halves,
// "by_relation", "confusion".
nlohmann::json BindingToJson(const BindingTable& table,
                             const std::vector<std::string>& relations);

nlohmann::json DictionaryToJson(const DictionaryStats& stats,
                                const std::vector<std::string>& relations);

// "cosine" and "written_share", means over the relations, and both of each
// under "by_relation".
nlohmann::json WrittenToJson(const std::vector<WriteCertificate>& written,
                             const std::vector<std::string>& relations);

// What the figures of one split ("test", "unseen") show, for the signatures of
// a recipe that went wrong; also of a baseline's, and of a study's cell.
RecipeFigures RecipeFiguresOf(const nlohmann::json& split);

// The tables of an evaluation object (eval.h), or of a part of one, and what
// its test figures show to have gone wrong (common/signatures.h).
std::string RenderEvaluation(const nlohmann::json& evaluation);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_REPORT_H_
