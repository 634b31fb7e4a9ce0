// One reading of several tokens, such as all of a name's: where a checkpoint
// was trained on spans, its slots mean something at their mean.
//
// Thread-safety: free function.

#ifndef ALIGNSAE_MODEL_SCHEDULER_MEAN_READING_H_
#define ALIGNSAE_MODEL_SCHEDULER_MEAN_READING_H_

#include "absl/types/span.h"
#include "model/engine/step.h"
#include "model/steering/concept.h"

namespace alignsae {

// Means of the values, the probabilities, the outside ratios and the norms of
// `readings`, which are one or more of one checkpoint with `concepts`, in order
// of position. `top`, `margin` and `bound` follow from the means; `position` is
// the last one. What ReadFeatures tells is left out. One reading stays as it
// is.
ConceptReading MeanReading(absl::Span<const ConceptReading> readings,
                           absl::Span<const Concept> concepts);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_SCHEDULER_MEAN_READING_H_
