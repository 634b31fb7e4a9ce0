// What a golden file beside a model holds: make_gpt2_golden.py and
// make_gpt_neox_golden.py say what each is.

#ifndef ALIGNSAE_TESTS_SUPPORT_GOLDEN_H_
#define ALIGNSAE_TESTS_SUPPORT_GOLDEN_H_

#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/io/tensor_file.h"
#include "model/transformer/facts.h"

namespace alignsae {

struct Golden {
  std::vector<int32_t> input_ids;  // [T]
  std::vector<int32_t> greedy;     // [64]
  at::Tensor logits;               // [T, V]
  at::Tensor hidden_states;        // [L + 1, T, D]; the last one after ln_f
  at::Tensor attn_out, mlp_out;    // [L, T, D]; of GPT-NeoX alone
};

inline std::string GoldenDirectory(const std::string& family,
                                   const std::string& name) {
  return absl::StrCat(ALIGNSAE_SOURCE_DIR, "/tests/golden/", family, "/", name);
}

inline absl::StatusOr<std::vector<int32_t>> ReadGoldenIds(
    const SafetensorsFile& file, const std::string& name) {
  const TensorEntry* entry = file.Find(name);
  if (entry == nullptr || entry->dtype != DType::kI64) {
    return absl::NotFoundError(name);
  }
  std::vector<int64_t> ids((entry->end - entry->begin) / sizeof(int64_t));
  ALIGNSAE_RETURN_IF_ERROR(
      file.ReadBytes(*entry, 0,
                     absl::MakeSpan(reinterpret_cast<char*>(ids.data()),
                                    ids.size() * sizeof(int64_t))));
  return std::vector<int32_t>(ids.begin(), ids.end());
}

inline absl::StatusOr<Golden> ReadGolden(const std::string& directory,
                                         const TransformerFacts& facts) {
  constexpr char kVersion[] = "1";
  ALIGNSAE_ASSIGN_OR_RETURN(
      const SafetensorsFile file,
      SafetensorsFile::Open(directory + "/expected.safetensors"));
  const auto version = file.header().metadata.find("golden_version");
  if (version == file.header().metadata.end() || version->second != kVersion) {
    return absl::FailedPreconditionError(
        "stale golden file: run the generator that its header names");
  }
  Golden golden;
  ALIGNSAE_ASSIGN_OR_RETURN(golden.input_ids, ReadGoldenIds(file, "input_ids"));
  ALIGNSAE_ASSIGN_OR_RETURN(golden.greedy, ReadGoldenIds(file, "greedy"));
  const int64_t length = static_cast<int64_t>(golden.input_ids.size());
  ALIGNSAE_ASSIGN_OR_RETURN(
      golden.logits,
      ReadFloatTensor(file, "logits", {length, facts.vocab_size}));
  ALIGNSAE_ASSIGN_OR_RETURN(
      golden.hidden_states,
      ReadFloatTensor(file, "hidden_states",
                      {facts.n_layer + 1, length, facts.d_model}));
  for (const auto& [name, part] : {std::pair("attn_out", &golden.attn_out),
                                   std::pair("mlp_out", &golden.mlp_out)}) {
    if (file.Find(name) == nullptr) continue;
    ALIGNSAE_ASSIGN_OR_RETURN(
        *part,
        ReadFloatTensor(file, name, {facts.n_layer, length, facts.d_model}));
  }
  return golden;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_GOLDEN_H_
