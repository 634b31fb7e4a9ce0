#include "model/base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace alignsae {
namespace {

struct DigestDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Update(absl::string_view bytes) {
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string FinishHex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(digest), size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, DigestDeleter> context_;
};

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     int64_t max_bytes) {
  ALIGNSAE_ASSIGN_OR_RETURN(const OpenedFile file, OpenRegularFile(path));
  if (file.size > static_cast<uint64_t>(std::max<int64_t>(max_bytes, 0))) {
    return absl::ResourceExhaustedError(absl::StrCat(
        path, ": must be at most ", max_bytes, " bytes, got ", file.size));
  }
  std::string contents(file.size, '\0');
  ALIGNSAE_RETURN_IF_ERROR(
      ReadFullyAt(file.fd.get(), path, 0, absl::MakeSpan(contents)));
  return contents;
}

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  // A rename would put a file in the place of a device or a pipe.
  struct stat there = {};
  if (stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode) &&
      !S_ISDIR(there.st_mode)) {  // Which no rename replaces.
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": must be a regular file or none yet, got something else"));
  }
  // The process id tells processes apart, the counter threads; O_EXCL guards
  // against what is left when both coincide (containers that share a volume).
  static std::atomic<uint64_t> counter{0};
  constexpr int kAttempts = 100;
  AtomicFile file;
  file.path_ = path;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string temporary =
        absl::StrCat(path, ".tmp.", getpid(), ".", counter.fetch_add(1));
    file.fd_ = FileDescriptor(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (file.fd_.get() >= 0) {
      file.temporary_ = std::move(temporary);
      return file;
    }
    if (errno != EEXIST) break;
  }
  return PosixError(path, "create a temporary file beside it", errno);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, "")),
      fd_(std::move(other.fd_)) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status AtomicFile::Append(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return PosixError(path_, "write", errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status AtomicFile::Commit(Survives survives) {
  const bool synced = survives == Survives::kPowerCut;
  if (synced && fsync(fd_.get()) != 0) return PosixError(path_, "sync", errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return PosixError(path_, "rename a temporary file to it", errno);
  }
  temporary_.clear();
  return synced ? SyncDirectory(ParentDirectory(path_)) : absl::OkStatus();
}

absl::Status WriteFileAtomically(const std::string& path,
                                 absl::string_view contents) {
  ALIGNSAE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  ALIGNSAE_RETURN_IF_ERROR(file.Append(contents));
  return file.Commit();
}

bool FileExists(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0;
}

std::string Sha256Hex(absl::string_view bytes) {
  Sha256 sha;
  sha.Update(bytes);
  return sha.FinishHex();
}

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(const OpenedFile file, OpenRegularFile(path));
  Sha256 sha;
  std::vector<char> buffer(1 << 20);
  for (uint64_t done = 0; done < file.size;) {
    const size_t n = std::min<uint64_t>(buffer.size(), file.size - done);
    ALIGNSAE_RETURN_IF_ERROR(ReadFullyAt(file.fd.get(), path, done,
                                         absl::MakeSpan(buffer.data(), n)));
    sha.Update(absl::string_view(buffer.data(), n));
    done += n;
  }
  return sha.FinishHex();
}

}  // namespace alignsae
