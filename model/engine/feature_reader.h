// What a whole SAE says of residuals: the largest features, L0, reconstruction
// error.
//
// Thread-safety: pure. Computes on the calling thread alone, beside the step
// thread: no OpenMP region is opened, which would make a second pool of threads
// and keep the step thread's from spinning.

#ifndef ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_
#define ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/engine/step_executor.h"
#include "model/sae/sae.h"

namespace alignsae {

// Fills what StepExecutor::ReadFeatures does; every reading has its residual.
// Errors: what `why_stop` says, with the readings filled up to there. Throws
// what LibTorch throws.
absl::Status ReadFeaturesOf(const Sae& sae, absl::Span<ConceptReading> readings,
                            int top_k, const WhyStop& why_stop);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_ENGINE_FEATURE_READER_H_
