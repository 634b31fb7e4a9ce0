// A streamed completion: one Generate for each choice, whose tokens go out as
// server-sent events as they come.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_HTTP_OPENAI_STREAM_H_
#define ALIGNSAE_SERVER_HTTP_OPENAI_STREAM_H_

#include <memory>

#include "server/http/openai_completion.h"

namespace alignsae {

void RunCompletionStream(const std::shared_ptr<CompletionCall>& call);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_OPENAI_STREAM_H_
