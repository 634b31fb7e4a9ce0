// Parts of the safetensors reader that only its own files use: dtypes by name
// and the rules on byte ranges.
//
// Thread-safety: pure functions.
// Errors: DATA_LOSS naming the tensor and the field.

#ifndef ALIGNSAE_MODEL_IO_SAFETENSORS_LAYOUT_H_
#define ALIGNSAE_MODEL_IO_SAFETENSORS_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/io/safetensors.h"

namespace alignsae {

// UNIMPLEMENTED for a dtype of the format that we do not read, DATA_LOSS for
// what is none.
absl::StatusOr<DType> ParseDType(absl::string_view name);

// tensor "h.0.ln_1.weight": the start of every message about a tensor.
std::string TensorLabel(absl::string_view name);

// The byte ranges follow each other without overlap or hole, each as large as
// its shape takes, from the header's end (`header.data_offset`) to the file's
// end. So no byte of the file has two meanings or none, and the file cannot be
// a second format as well.
absl::Status CheckLayout(const SafetensorsHeader& header, uint64_t file_size);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_IO_SAFETENSORS_LAYOUT_H_
