// PageFile: one file of the page, as it is built into the binary.
//
// Thread-safety: value types, of constants.

#ifndef ALIGNSAE_SERVER_HTTP_PAGE_FILE_H_
#define ALIGNSAE_SERVER_HTTP_PAGE_FILE_H_

#include <vector>

#include "absl/strings/string_view.h"

namespace alignsae {

struct PageFile {
  absl::string_view path;  // "/", "/assets/index-1a2b3c4d.js".
  absl::string_view content_type;
  absl::string_view body;
  absl::string_view gzip;  // The same, packed; empty: it is not.
  // The path changes with the content: a browser may keep it for good.
  bool immutable = false;
};

// What this build has: the page, or a sentence that says that it has none
// (server/web).
std::vector<PageFile> PageFiles();

}  // namespace alignsae

#endif  // ALIGNSAE_SERVER_HTTP_PAGE_FILE_H_
