// Version of the server, told by --version, GetModel and the build_info metric.
//
// Thread-safety: constant.

#ifndef ALIGNSAE_SERVER_CONFIG_VERSION_H_
#define ALIGNSAE_SERVER_CONFIG_VERSION_H_

namespace alignsae {

inline constexpr char kServerVersion[] = "0.1.0";

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_CONFIG_VERSION_H_
