#include "server/process/file_watcher.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace alignsae {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(500);

}  // namespace

std::string FileStamp(const std::vector<std::string>& paths) {
  std::string stamp;
  for (const std::string& path : paths) {
    struct stat info = {};
    if (path.empty() || stat(path.c_str(), &info) != 0) {
      absl::StrAppend(&stamp, "-;");
      continue;
    }
    absl::StrAppend(&stamp, info.st_dev, " ", info.st_ino, " ", info.st_size,
                    " ", info.st_mtim.tv_sec, " ", info.st_mtim.tv_nsec, ";");
  }
  return stamp;
}

FileWatcher::FileWatcher(Options options)
    : options_(std::move(options)), thread_([this] { Loop(); }) {}

FileWatcher::~FileWatcher() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void FileWatcher::Loop() {
  std::string used = options_.stamp;
  std::string refused;
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!stopping_) changed_.WaitFor(&mutex_, kLookEvery);
      if (stopping_) return;
    }
    std::string stamp = FileStamp(options_.paths);
    if (stamp == used) continue;
    const absl::Status taken = options_.take();
    if (taken.ok()) {
      used = std::move(stamp);
    } else if (stamp != refused) {
      options_.refused(taken);
      refused = std::move(stamp);
    }
  }
}

}  // namespace alignsae
