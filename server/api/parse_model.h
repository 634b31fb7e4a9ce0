// The requests of ModelService. See parse_env.h for threads and errors.

#ifndef ALIGNSAE_SERVER_API_PARSE_MODEL_H_
#define ALIGNSAE_SERVER_API_PARSE_MODEL_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "alignsae/v1/model_service.pb.h"
#include "model/tokenizer/tokenizer.h"
#include "server/api/parse_env.h"

namespace alignsae {

struct ParsedText {
  std::string text;  // Template applied.
  bool parse_special = false;
  // Parts of the text that the template says.
  std::vector<Tokenizer::Span> of_template;
};

absl::StatusOr<ParsedText> ParseTokenize(const v1::TokenizeRequest& wire,
                                         const ParseEnv& env);
absl::StatusOr<std::vector<int32_t>> ParseDetokenize(
    const v1::DetokenizeRequest& wire, const ParseEnv& env);
// Indices of the checkpoints to tell of.
absl::StatusOr<std::vector<int>> ParseListConcepts(
    const v1::ListConceptsRequest& wire, const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_PARSE_MODEL_H_
