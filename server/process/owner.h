// Owner: whose work something is, for turns and for what one of many may hold.
//
// The origin is what a caller cannot choose freely, the address of its host.
// The name, which it can, only tells apart within the origin: a caller that
// invents names shares out what its origin has among them.
//
// Thread-safety: value type.

#ifndef ALIGNSAE_SERVER_PROCESS_OWNER_H_
#define ALIGNSAE_SERVER_PROCESS_OWNER_H_

#include <compare>
#include <string>

namespace alignsae {

struct Owner {
  std::string origin;
  std::string name;
  friend auto operator<=>(const Owner&, const Owner&) = default;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_OWNER_H_
