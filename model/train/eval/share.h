// A share that was measured on n tries, with its 95 % Wilson interval, as
// reports have it: {"n", "rate", "low", "high"}.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_MODEL_TRAIN_EVAL_SHARE_H_
#define ALIGNSAE_MODEL_TRAIN_EVAL_SHARE_H_

#include <string>

#include "nlohmann/json.hpp"

namespace alignsae {

// `right` of `n` tries, n > 0.
nlohmann::ordered_json ShareToJson(double right, double n);

// "0.917 [0.646, 0.985]" of such an object; "-" of null.
std::string ShareText(const nlohmann::ordered_json& share);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRAIN_EVAL_SHARE_H_
