// EngineLoader: loads a model from its directories and warms it up.
//
// Thread-safety: free functions. What EngineLoader returns is called on a step
// thread, which from then on owns the process's OpenMP pool.

#ifndef ALIGNSAE_SERVER_REGISTRY_ENGINE_LOADER_H_
#define ALIGNSAE_SERVER_REGISTRY_ENGINE_LOADER_H_

#include "absl/status/status.h"
#include "model/engine/engine.h"
#include "server/registry/binding_check.h"
#include "server/registry/served_model.h"

namespace alignsae {

// Tells what was loaded and how it runs in a log line, `model_loaded`. Blocks
// for seconds. `prompt_tokens`: the most of one step. `beside_others`: another
// generation answers meanwhile, and is not to be held up: the files are read
// and prepared by one thread of low priority, and only the first steps run on
// all of the setup's threads. A model whose checkpoints do not keep `binding`
// is not loaded. Errors: what LoadEngine, WarmUp and CheckBinding say.
ModelLoader EngineLoader(EngineSetup setup, int prompt_tokens,
                         bool beside_others = false, BindingRule binding = {});

// One prompt step of `prompt_tokens` (less where the context is shorter) and
// one decode step, so that no request pays for what is made at its first use:
// matrices of the type of weights, scratch memory, the OpenMP pool of the
// calling thread. A model that cannot run says so here. Errors: the step's;
// INVALID_ARGUMENT for one that finds all of its `vocab_size` tokens equally
// likely.
absl::Status WarmUp(StepExecutor& executor, int context_length, int vocab_size,
                    int prompt_tokens);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_REGISTRY_ENGINE_LOADER_H_
