#include "model/train/common/mapped_tensor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "model/base/posix_file.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

// A file without a name in `directory`.
absl::StatusOr<FileDescriptor> NamelessFile(const std::string& directory) {
  ALIGNSAE_RETURN_IF_ERROR(CreateDirectories(directory));
  std::string name = absl::StrCat(directory, "/.residuals-XXXXXX");
  FileDescriptor file(mkostemp(name.data(), O_CLOEXEC));
  if (file.get() < 0) return PosixError(directory, "make a file in", errno);
  if (unlink(name.c_str()) != 0) return PosixError(name, "remove", errno);
  return file;
}

}  // namespace

absl::StatusOr<at::Tensor> MakeMappedTensor(const std::string& directory,
                                            int64_t rows, int64_t width) {
  const int64_t bytes = rows * width * static_cast<int64_t>(sizeof(float));
  ALIGNSAE_ASSIGN_OR_RETURN(const FileDescriptor file, NamelessFile(directory));
  // All of it at once: what is written to a mapping cannot fail with a
  // sentence.
  if (const int error = posix_fallocate(file.get(), 0, bytes); error != 0) {
    return PosixError(directory,
                      absl::StrCat("hold ", (bytes + (1 << 20) - 1) >> 20,
                                   " MiB of residuals (make room, or raise "
                                   "--residual-memory)"),
                      error);
  }
  void* const data = mmap(nullptr, static_cast<size_t>(bytes),
                          PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return PosixError(directory, "map", errno);
  return at::from_blob(
      data, {rows, width},
      [bytes](void* mapped) { munmap(mapped, static_cast<size_t>(bytes)); },
      at::TensorOptions(at::kFloat));
}

}  // namespace alignsae
