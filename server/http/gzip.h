// A body that a client compressed (RFC 1952), within a limit of what it may
// become: a bomb is given up at the limit, whatever it would have been.
//
// Thread-safety: pure function. Takes some milliseconds for a MiB.

#ifndef ALIGNSAE_SERVER_HTTP_GZIP_H_
#define ALIGNSAE_SERVER_HTTP_GZIP_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace alignsae {

// One gzip member, whole and alone. Errors: FieldErrors of "request",
// INVALID_ARGUMENT: more than `max_bytes`, or no gzip.
absl::StatusOr<std::string> Gunzip(absl::string_view bytes, size_t max_bytes);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_GZIP_H_
