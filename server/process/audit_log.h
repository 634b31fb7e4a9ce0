// AuditLog: one JSON object a line, appended to a file of its own, apart from
// the log. Nobody who writes waits: a thread of its own does; lines that it has
// not come to wait in a bounded queue. What is lost (the queue is full, the
// disk is) is counted.
//
// The file is only ever appended to, so that it can be copied and truncated;
// it is made with mode 0600.
//
// Thread-safety: thread-safe.
// Errors: Open: INVALID_ARGUMENT naming --audit-log.

#ifndef ALIGNSAE_SERVER_PROCESS_AUDIT_LOG_H_
#define ALIGNSAE_SERVER_PROCESS_AUDIT_LOG_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace alignsae {

class AuditLog {
 public:
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(
      const std::string& path);
  // Waits a second at most for what was written before.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // `line`, without its end.
  void Write(const std::string& line);
  // Lines that are not in the file and never will be.
  int64_t lost() const;

 private:
  struct Impl;
  explicit AuditLog(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;
};

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_PROCESS_AUDIT_LOG_H_
