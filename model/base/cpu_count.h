// How many threads this process can run at once.
//
// Thread-safety: pure functions.

#ifndef ALIGNSAE_MODEL_BASE_CPU_COUNT_H_
#define ALIGNSAE_MODEL_BASE_CPU_COUNT_H_

#include "absl/strings/string_view.h"

namespace alignsae {

// The processors that the scheduler may put this process on, or fewer where the
// control group grants less time (a container's CPU limit; rounded up). >= 1.
int AvailableCpus();

// Processors that a control group's "cpu.max" grants, rounded up; 0 when it
// sets no limit or cannot be read: "200000 100000" is 2, "max 100000" is 0.
int CpusOfQuota(absl::string_view cpu_max);

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_BASE_CPU_COUNT_H_
