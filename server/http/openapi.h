// The front door's description of itself, made of the protos by
// proto/make_openapi.py.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_HTTP_OPENAPI_H_
#define ALIGNSAE_SERVER_HTTP_OPENAPI_H_

#include "absl/strings/string_view.h"

namespace alignsae {

inline constexpr char kOpenApiPath[] = "/openapi.json";

// proto/openapi.json.
absl::string_view OpenApiJson();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_OPENAPI_H_
