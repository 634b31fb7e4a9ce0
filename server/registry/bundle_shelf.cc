#include "server/registry/bundle_shelf.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <system_error>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "model/base/field_error.h"
#include "model/base/quote.h"
#include "model/base/status_payload.h"

namespace alignsae {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxShelfNameBytes = 128;
// Where a writer prepares the next version.
constexpr absl::string_view kWorkSuffix = ".partial-bundle";
// What tells that something can be loaded from a directory, written last.
constexpr const char* kMarks[] = {"bundle.json", "config.json", "cfg.json"};

absl::Status NotThere(const std::string& name) {
  return FieldStatus({"bundle", "be a bundle or a checkpoint on the shelf",
                      absl::StrCat(Quoted(name),
                                   "; --bundles-dir has none of "
                                   "that name")},
                     absl::StatusCode::kNotFound);
}

std::string StampOf(const std::string& path) {
  struct stat now = {};
  if (stat(path.c_str(), &now) != 0) return "";
  return absl::StrCat(now.st_dev, ":", now.st_ino, ":", now.st_size, ":",
                      now.st_mtim.tv_sec, ".", now.st_mtim.tv_nsec);
}

}  // namespace

bool IsShelfName(absl::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxShelfNameBytes &&
         std::all_of(name.begin(), name.end(), fits) && name.front() != '.' &&
         !absl::EndsWith(name, kWorkSuffix);
}

absl::StatusOr<std::string> BundleShelf::Find(const std::string& name) const {
  if (directory_.empty()) {
    return WithReason(
        absl::FailedPreconditionError("bundle: must be empty, because the "
                                      "server runs without --bundles-dir"),
        kReasonNotLoaded);
  }
  if (!IsShelfName(name)) {
    return InvalidField("bundle", kShelfNameRule, Quoted(name));
  }
  std::error_code error;
  const fs::path shelf = fs::canonical(directory_, error);
  if (error) return NotThere(name);
  const fs::path found = fs::canonical(shelf / name, error);
  if (error || !fs::is_directory(found, error) ||
      !absl::StartsWith(found.string(), shelf.string() + "/")) {
    return NotThere(name);
  }
  return found.string();
}

std::string VersionStamp(const std::string& directory) {
  for (const char* mark : kMarks) {
    const std::string stamp = StampOf(absl::StrCat(directory, "/", mark));
    if (!stamp.empty()) return absl::StrCat(mark, ":", stamp);
  }
  return "";
}

absl::Status Told(const absl::Status& status,
                  const std::map<std::string, std::string>& names) {
  if (status.ok()) return status;
  absl::Status told(status.code(),
                    absl::StrReplaceAll(status.message(), names));
  status.ForEachPayload(
      [&told](absl::string_view type, const absl::Cord& data) {
        told.SetPayload(type, data);
      });
  return told;
}

}  // namespace alignsae
