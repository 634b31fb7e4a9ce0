// libFuzzer target: the safetensors header parser takes any bytes, and what it
// accepts keeps the promises that the reader relies on.
//
// Input: two bytes (little-endian) for the size of the data section, then the
// header's JSON.

#include <cstdint>
#include <cstdlib>
#include <map>

#include "absl/strings/string_view.h"
#include "model/io/safetensors.h"

namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

// Every byte of the data section belongs to exactly one tensor.
void RequireExactCover(const alignsae::SafetensorsHeader& header,
                       uint64_t data_size) {
  std::map<uint64_t, uint64_t> end_by_begin;
  for (const auto& [name, tensor] : header.tensors) {
    uint64_t bytes = alignsae::DTypeBytes(tensor.dtype);
    for (const int64_t size : tensor.shape)
      bytes *= static_cast<uint64_t>(size);
    Require(tensor.name == name);
    Require(tensor.begin <= tensor.end && tensor.end <= data_size);
    Require(tensor.end - tensor.begin == bytes);
    if (bytes > 0) {
      Require(end_by_begin.emplace(tensor.begin, tensor.end).second);
    }
  }
  uint64_t end = 0;
  for (const auto& [begin, next_end] : end_by_begin) {
    Require(begin == end);
    end = next_end;
  }
  Require(end == data_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint64_t data_size = data[0] | data[1] << 8;
  const absl::string_view json(reinterpret_cast<const char*>(data) + 2,
                               size - 2);
  const auto header = alignsae::ParseSafetensorsHeader(
      json, sizeof(uint64_t) + json.size() + data_size);
  if (header.ok()) {
    Require(header->data_offset == sizeof(uint64_t) + json.size());
    RequireExactCover(*header, data_size);
  } else {
    Require(!header.status().message().empty());
  }
  return 0;
}
