// Random numbers of the operating system, for request ids and seeds.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_MODEL_BASE_RANDOM_ID_H_
#define ALIGNSAE_MODEL_BASE_RANDOM_ID_H_

#include <cstdint>
#include <string>

namespace alignsae {

uint64_t RandomUint64();
// 16 hexadecimal digits.
std::string RandomId();

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_RANDOM_ID_H_
