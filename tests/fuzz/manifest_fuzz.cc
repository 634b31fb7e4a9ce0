// libFuzzer target: bundle.json takes any bytes, and what it accepts survives
// being written and read again.

#include <cstdint>
#include <cstdlib>

#include "absl/strings/string_view.h"
#include "model/bundle/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto manifest = alignsae::ParseManifest(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!manifest.ok()) {
    if (manifest.status().message().empty()) std::abort();
    return 0;
  }
  const std::string text = alignsae::ManifestToJson(*manifest);
  const auto again = alignsae::ParseManifest(text);
  if (!again.ok() || alignsae::ManifestToJson(*again) != text) std::abort();
  return 0;
}
