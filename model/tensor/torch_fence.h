// The one place where exceptions become absl::Status. LibTorch throws
// c10::Error for a failed check and for memory it cannot get; nothing of that
// may cross a module boundary, least of all the step thread's.
//
// Thread-safety: free functions.
// Errors: RESOURCE_EXHAUSTED with reason MEMORY when memory ran out, INTERNAL
// for everything else, both "LibTorch: <first line of what()>". Neither
// sentence is for a client: server/grpc/status.h puts another in its place.
//
// Example:
//   absl::StatusOr<at::Tensor> z =
//       WithTorchFence([&] { return at::matmul(h, w_enc); });

#ifndef ALIGNSAE_MODEL_TENSOR_TORCH_FENCE_H_
#define ALIGNSAE_MODEL_TENSOR_TORCH_FENCE_H_

#include <c10/util/Exception.h>

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace torch_fence_internal {

// void -> Status; Status and StatusOr as they are; any other T -> StatusOr<T>.
template <typename T>
struct Fenced {
  using type = absl::StatusOr<T>;
};
template <>
struct Fenced<void> {
  using type = absl::Status;
};
template <>
struct Fenced<absl::Status> {
  using type = absl::Status;
};
template <typename T>
struct Fenced<absl::StatusOr<T>> {
  using type = absl::StatusOr<T>;
};

inline absl::Status OutOfMemory(absl::string_view line) {
  return WithReason(
      absl::ResourceExhaustedError(absl::StrCat("LibTorch: ", line)),
      kReasonMemory);
}

inline absl::Status StatusOfWhat(absl::string_view what) {
  // The lines below the first are a C++ stack trace and schema listings.
  const absl::string_view line = what.substr(0, what.find('\n'));
  // The CPU allocator's and CUDA's words; LibTorch 1.13 has no type for it.
  if (absl::StrContains(what, "allocate memory") ||
      absl::StrContains(what, "out of memory")) {
    return OutOfMemory(line);
  }
  return absl::InternalError(absl::StrCat("LibTorch: ", line));
}

}  // namespace torch_fence_internal

// Calls `fn()`. What it returns comes back as Status or StatusOr, what it
// throws as an error.
template <typename Fn>
typename torch_fence_internal::Fenced<std::invoke_result_t<Fn>>::type
WithTorchFence(Fn&& fn) {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Fn>>) {
      std::forward<Fn>(fn)();
      return absl::OkStatus();
    } else {
      return std::forward<Fn>(fn)();
    }
  } catch (const c10::Error& error) {
    return torch_fence_internal::StatusOfWhat(error.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return torch_fence_internal::OutOfMemory("out of memory");
  } catch (const std::exception& error) {
    return torch_fence_internal::StatusOfWhat(error.what());
  }
}

}  // namespace alignsae

#endif  // ALIGNSAE_MODEL_TENSOR_TORCH_FENCE_H_
