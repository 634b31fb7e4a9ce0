// family::Add: a family of metrics by its name without `alignsae_`.
// family::kOther: the label of what has none of its own.
//
// Thread-safety: as prometheus::Registry, which is thread-safe.

#ifndef ALIGNSAE_SERVER_METRICS_FAMILY_H_
#define ALIGNSAE_SERVER_METRICS_FAMILY_H_

#include <prometheus/family.h>
#include <prometheus/registry.h>

#include <string>

namespace alignsae::family {

inline constexpr char kOther[] = "other";

template <typename T>
prometheus::Family<T>& Add(prometheus::Registry& registry, const char* name,
                           const char* help) {
  return prometheus::detail::Builder<T>()
      .Name(std::string("alignsae_") + name)
      .Help(help)
      .Register(registry);
}

}  // namespace alignsae::family

#endif  // ALIGNSAE_SERVER_METRICS_FAMILY_H_
