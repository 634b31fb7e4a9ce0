// What a whole SAE says of residuals: the largest features, L0, reconstruction
// error.
//
// Thread-safety: pure. Runs on the calling thread alone, beside the step
// thread.

#ifndef ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_
#define ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_

#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/sae/sae.h"

namespace alignsae {

// Fills what StepExecutor::ReadFeatures does; every reading has its residual.
// Throws what LibTorch throws.
void ReadFeaturesOf(const Sae& sae, absl::Span<ConceptReading> readings,
                    int top_k);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_
