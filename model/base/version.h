// Version of the product, told by --version of every binary, GetModel and the
// build_info metric.
//
// Thread-safety: constant.

#ifndef ALIGNSAE_MODEL_BASE_VERSION_H_
#define ALIGNSAE_MODEL_BASE_VERSION_H_

namespace alignsae {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_VERSION_H_
