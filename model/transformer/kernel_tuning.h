// Measures which kernel multiplies fastest on this processor, for each shape of
// a model's matrices and numbers of rows, and keeps it: in the plans of the
// process (kernel_plan.h), and in a file of the cache directory for the next
// start, named after the processor, the number of threads and oneDNN's version.
//
// A model of GPT-2 small's shape takes some 0.3 s. What cannot be told, because
// others have the processor, stays as it is built in and is not kept. A file
// that is damaged, or that names what this processor cannot run, is measured
// anew.
//
// Thread-safety: one call at a time, from the thread that computes steps.

#ifndef ALIGNSAE_MODEL_TRANSFORMER_KERNEL_TUNING_H_
#define ALIGNSAE_MODEL_TRANSFORMER_KERNEL_TUNING_H_

#include <string>
#include <vector>

#include "model/transformer/transformer.h"

namespace alignsae {

struct TuningOutcome {
  int measured = 0;  // Shapes.
  int unsteady = 0;  // Of these, not kept: the machine was too busy.
  int cached = 0;
  double seconds = 0;
  std::vector<std::string> warnings;  // One sentence each.
};

// The plans of `model`'s matrices that were not measured in this process yet.
// Nothing happens on a GPU. An empty `cache_directory`: nothing is kept.
TuningOutcome TuneKernels(const Transformer& model,
                          const std::string& cache_directory);

// What multiplies by `model`'s matrices, one sentence for each shape.
std::vector<std::string> KernelSentences(const Transformer& model);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TRANSFORMER_KERNEL_TUNING_H_
