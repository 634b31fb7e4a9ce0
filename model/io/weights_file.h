// Whether a Hugging Face directory has its weights in the one form that is
// read, model.safetensors.
//
// Thread-safety: free function.
// Errors: FAILED_PRECONDITION for weights in another form (several files, a
// pickle) with what to do about it; NOT_FOUND for none at all.

#ifndef ALIGNSAE_MODEL_IO_WEIGHTS_FILE_H_
#define ALIGNSAE_MODEL_IO_WEIGHTS_FILE_H_

#include <string>

#include "absl/status/status.h"

namespace alignsae {

// OK when <directory>/model.safetensors is there, whatever lies beside it: an
// index that an earlier save left is not read.
absl::Status CheckWeightsFile(const std::string& directory);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_IO_WEIGHTS_FILE_H_
