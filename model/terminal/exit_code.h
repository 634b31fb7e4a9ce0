// Exit codes of the binaries, after sysexits.h. README.md has the table.
//
// Thread-safety: constants.

#ifndef ALIGNSAE_MODEL_TERMINAL_EXIT_CODE_H_
#define ALIGNSAE_MODEL_TERMINAL_EXIT_CODE_H_

namespace alignsae {

enum ExitCode : int {
  kExitOk = 0,
  kExitUsage = 64,         // INVALID_ARGUMENT, OUT_OF_RANGE, bad command line.
  kExitDiffers = 65,       // A replay gave something else.
  kExitNotFound = 66,      // NOT_FOUND.
  kExitUnavailable = 69,   // UNAVAILABLE: no server, starting or draining.
  kExitInternal = 70,      // INTERNAL and everything else.
  kExitOutput = 74,        // What was to be written did not arrive whole.
  kExitBusy = 75,          // RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED: try later.
  kExitNoPermission = 77,  // UNAUTHENTICATED, PERMISSION_DENIED.
  kExitConfig = 78,        // FAILED_PRECONDITION: not with what is loaded.
};

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TERMINAL_EXIT_CODE_H_
