// ValidateBinding: wire request -> what is read and swapped. See parse_env.h
// for threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_VALIDATION_H_
#define ALIGNSAE_SERVER_API_PARSE_VALIDATION_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignsae/v1/validation.pb.h"
#include "model/scheduler/request.h"
#include "server/api/parse_env.h"
#include "server/api/parse_parts.h"

namespace alignsae {

inline constexpr int kMaxLabelledPrompts = 8192;
inline constexpr int kMaxValidationSwaps = 4096;
inline constexpr int kDefaultValidationSwaps = 256;

struct ValidationPlan {
  int checkpoint = 0;
  bool stored = false;       // The bundle's own prompts.
  bool reads_spans = false;  // The mean over a text's tokens.
  struct Read {
    std::vector<int32_t> prompt;
    ReadPosition at;
    int asked = -1;  // Concept; -1: none.
  };
  std::vector<Read> reads;
  struct Swap {
    int prompt = 0;  // Index into `reads`.
    int target = 0;  // Concept.
    std::string answer;
  };
  std::vector<Swap> swaps;
};

absl::StatusOr<ValidationPlan> ParseValidateBinding(
    const v1::ValidateBindingRequest& wire, const ParseEnv& env);

// One prompt of the plan, to be read.
SequenceSpec ReadOf(const ValidationPlan& plan,
                    const ValidationPlan::Read& read);
// One swap of the plan, from the concept on top, at the recommended strength.
absl::StatusOr<SequenceSpec> SwapOf(const ValidationPlan& plan,
                                    const ValidationPlan::Swap& swap,
                                    const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_VALIDATION_H_
