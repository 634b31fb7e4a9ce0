// How much memory the process may still take: the least of what the machine
// has, of what its control groups leave, and of a budget of its own.
//
// Thread-safety: free functions.

#ifndef ALIGNSAE_SERVER_PROCESS_FREE_MEMORY_H_
#define ALIGNSAE_SERVER_PROCESS_FREE_MEMORY_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace alignsae {

// Bytes, at least 0. `budget`: what the process may have in memory in all; 0:
// as much as there is. INT64_MAX where nothing tells.
int64_t FreeMemory(int64_t budget);

// Of /proc/meminfo; -1 when it does not say.
int64_t AvailableOfMeminfo(absl::string_view meminfo);
// The group that `controllers` ("memory" in version 1, "" in version 2) put the
// process in, given /proc/self/cgroup; empty when it names none.
std::string GroupOfProcess(absl::string_view cgroup,
                           absl::string_view controllers);
// What a group with this limit leaves, of which `used` bytes are taken,
// `unused` of them by pages of files that can go. Below 0: not known. -1: no
// limit.
int64_t LeftOfGroup(int64_t limit, int64_t used, int64_t unused);

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_FREE_MEMORY_H_
