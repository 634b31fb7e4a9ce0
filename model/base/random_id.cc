#include "model/base/random_id.h"

#include <sys/random.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "model/base/counter_rng.h"

namespace alignsae {

uint64_t RandomUint64() {
  uint64_t value = 0;
  if (getrandom(&value, sizeof(value), 0) == sizeof(value)) return value;
  // A kernel without it: distinct is all that is needed.
  static std::atomic<uint64_t> counter{0};
  return RandomBits(static_cast<uint64_t>(absl::GetCurrentTimeNanos()),
                    counter++);
}

std::string RandomId() {
  return absl::StrCat(absl::Hex(RandomUint64(), absl::kZeroPad16));
}

}  // namespace alignsae
