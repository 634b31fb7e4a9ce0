// How large an answer can get, known before the work: a reply over the message
// limit is refused while it costs nothing.
//
// Each bound is the size of the largest message that the renderer can make of
// the request: every token is the tokenizer's longest, every byte of it becomes
// U+FFFD, every number takes the bytes of its greatest value. So no answer is
// larger, and one made of such tokens is as large.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_API_REPLY_SIZE_H_
#define ALIGNSAE_SERVER_API_REPLY_SIZE_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/scheduler/request.h"
#include "server/api/parse_env.h"

namespace alignsae {

// Of the request id, which every answer echoes.
inline constexpr size_t kMaxRequestIdBytes = 128;

// Bytes of an ArmResult with its tokens.
int64_t ArmBytes(const SequenceSpec& sequence, const ParseEnv& env);

// Bytes of the unary answer (CompleteResponse, SwapResponse) to these
// sequences, whose prompts are the same.
int64_t GenerationBytes(const RequestSpec& spec, std::optional<int> checkpoint,
                        const ParseEnv& env);

// Bytes of the SweepAlphaResponse with a cell of this sequence.
int64_t SweepCellBytes(const SequenceSpec& sequence, const ParseEnv& env);

// Bytes of the SwapMatrixResponse with a cell of this sequence.
int64_t MatrixCellBytes(const SequenceSpec& sequence, const ParseEnv& env);

// Bytes of the FindAlphaResponse after so many tries like `tried`.
int64_t FindAlphaBytes(const SequenceSpec& tried, int tries,
                       const ParseEnv& env);

// Bytes of ReadConceptsResponse and of InspectSlotsResponse.
int64_t ReadBytes(const RequestSpec& spec, int checkpoint, const ParseEnv& env);
int64_t InspectionBytes(const SequenceSpec& sequence, int checkpoint, int top_k,
                        const ParseEnv& env);

// The field of a generating request that makes most of its answer's size.
absl::string_view SizeField(const SequenceSpec& sequence);

// INVALID_ARGUMENT (REPLY_TOO_LARGE) when an answer that may take `bytes` bytes
// is larger than a message may be. The caller adds the field that can be made
// smaller.
absl::Status CheckReplyBytes(int64_t bytes, const ParseEnv& env);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_API_REPLY_SIZE_H_
