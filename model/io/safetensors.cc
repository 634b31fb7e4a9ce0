#include "model/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors_layout.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the file is little-endian and its bytes are copied as they are");

constexpr uint64_t kLengthBytes = sizeof(uint64_t);
constexpr uint64_t kMaxHeaderBytesOfFormat = 100'000'000;  // R2.
constexpr uint64_t kMaxHeaderBytes = uint64_t{16} << 20;   // Ours.
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 30;     // Ours.

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

// R1 to R3 and our limit: how long the header may be, before memory for it is
// taken.
absl::Status CheckHeaderLength(uint64_t length, uint64_t file_size) {
  if (length > kMaxHeaderBytesOfFormat) {
    return absl::DataLossError(absl::StrCat("header length: must be at most ",
                                            kMaxHeaderBytesOfFormat, ", got ",
                                            length));
  }
  if (length > file_size - kLengthBytes) {
    return absl::DataLossError(absl::StrCat(
        "header length: must be at most ", file_size - kLengthBytes,
        ", the rest of the file, got ", length));
  }
  if (length > kMaxHeaderBytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "header length: must be at most ", kMaxHeaderBytes, ", got ", length));
  }
  return absl::OkStatus();
}

absl::StatusOr<SafetensorsHeader> ReadHeader(const OpenedFile& file,
                                             const std::string& path) {
  if (file.size < kLengthBytes) {
    return WithPath(path, absl::DataLossError(absl::StrCat(
                              "file: must be at least ", kLengthBytes,
                              " bytes, got ", file.size)));
  }
  if (file.size > kMaxFileBytes) {
    return WithPath(path, absl::ResourceExhaustedError(absl::StrCat(
                              "file: must be at most ", kMaxFileBytes,
                              " bytes, got ", file.size)));
  }
  char prefix[kLengthBytes];
  ALIGNSAE_RETURN_IF_ERROR(
      ReadFullyAt(file.fd.get(), path, 0, absl::MakeSpan(prefix)));
  uint64_t length = 0;
  std::memcpy(&length, prefix, sizeof(length));
  if (absl::Status status = CheckHeaderLength(length, file.size);
      !status.ok()) {
    return WithPath(path, status);
  }
  std::string json(length, '\0');
  ALIGNSAE_RETURN_IF_ERROR(
      ReadFullyAt(file.fd.get(), path, kLengthBytes, absl::MakeSpan(json)));
  absl::StatusOr<SafetensorsHeader> header =
      ParseSafetensorsHeader(json, file.size);
  if (!header.ok()) return WithPath(path, header.status());
  return header;
}

// Text of a JSON string. Bytes that are not UTF-8 are replaced, so that this
// cannot fail; the caller reads the header back and sees the difference.
std::string JsonString(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
}

std::string HeaderText(const std::vector<const TensorToWrite*>& in_file_order,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<std::string> members;
  if (!metadata.empty()) {
    members.push_back(absl::StrCat(
        "\"__metadata__\":{",
        absl::StrJoin(metadata, ",",
                      [](std::string* out, const auto& pair) {
                        absl::StrAppend(out, JsonString(pair.first), ":",
                                        JsonString(pair.second));
                      }),
        "}"));
  }
  uint64_t begin = 0;
  for (const TensorToWrite* tensor : in_file_order) {
    const uint64_t end = begin + tensor->data.size();
    members.push_back(absl::StrCat(
        JsonString(tensor->name), ":{\"dtype\":\"", DTypeName(tensor->dtype),
        "\",\"shape\":[", absl::StrJoin(tensor->shape, ","),
        "],\"data_offsets\":[", begin, ",", end, "]}"));
    begin = end;
  }
  std::string text = absl::StrCat("{", absl::StrJoin(members, ","), "}");
  // Spaces, so that the data begins at a multiple of 8.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

// What we write must be what we would read: the reader's own rules decide.
absl::Status CheckBeforeWriting(
    const std::string& header_text, absl::Span<const TensorToWrite> tensors,
    const std::map<std::string, std::string>& metadata) {
  uint64_t file_size = kLengthBytes + header_text.size();
  for (const TensorToWrite& tensor : tensors) file_size += tensor.data.size();
  absl::StatusOr<SafetensorsHeader> header =
      ParseSafetensorsHeader(header_text, file_size);
  if (!header.ok()) {
    return absl::InvalidArgumentError(header.status().message());
  }
  for (const TensorToWrite& tensor : tensors) {
    if (!header->tensors.contains(tensor.name)) {
      return absl::InvalidArgumentError("tensor name: must be UTF-8");
    }
  }
  if (header->metadata != metadata) {
    return absl::InvalidArgumentError("__metadata__: must be UTF-8");
  }
  return CheckHeaderLength(header_text.size(), file_size);
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  ALIGNSAE_ASSIGN_OR_RETURN(OpenedFile opened, OpenRegularFile(path));
  SafetensorsFile file;
  ALIGNSAE_ASSIGN_OR_RETURN(file.header_, ReadHeader(opened, path));
  file.path_ = path;
  file.fd_ = std::move(opened.fd);
  return file;
}

const TensorEntry* SafetensorsFile::Find(const std::string& name) const {
  const auto it = header_.tensors.find(name);
  return it == header_.tensors.end() ? nullptr : &it->second;
}

absl::Status SafetensorsFile::ReadBytes(const TensorEntry& entry,
                                        uint64_t offset,
                                        absl::Span<char> out) const {
  const uint64_t size = entry.end - entry.begin;
  if (offset > size || out.size() > size - offset) {
    return absl::InvalidArgumentError(absl::StrCat(
        path_, ": ", TensorLabel(entry.name), ": must be read within its ",
        size, " bytes, got ", out.size(), " bytes from byte ", offset));
  }
  return ReadFullyAt(fd_.get(), path_,
                     header_.data_offset + entry.begin + offset, out);
}

absl::Status WriteSafetensors(
    const std::string& path, absl::Span<const TensorToWrite> tensors,
    const std::map<std::string, std::string>& metadata, Survives survives) {
  std::vector<const TensorToWrite*> in_file_order;
  for (const TensorToWrite& tensor : tensors) in_file_order.push_back(&tensor);
  // Largest alignment first keeps every tensor aligned; then by name, so that
  // the same tensors give the same bytes.
  std::sort(in_file_order.begin(), in_file_order.end(),
            [](const TensorToWrite* a, const TensorToWrite* b) {
              return std::pair(-DTypeBytes(a->dtype), a->name) <
                     std::pair(-DTypeBytes(b->dtype), b->name);
            });
  const std::string header = HeaderText(in_file_order, metadata);
  if (absl::Status status = CheckBeforeWriting(header, tensors, metadata);
      !status.ok()) {
    return WithPath(path, status);
  }
  const uint64_t length = header.size();
  char prefix[kLengthBytes];
  std::memcpy(prefix, &length, sizeof(length));
  ALIGNSAE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  ALIGNSAE_RETURN_IF_ERROR(
      file.Append(absl::string_view(prefix, sizeof(prefix))));
  ALIGNSAE_RETURN_IF_ERROR(file.Append(header));
  for (const TensorToWrite* tensor : in_file_order) {
    ALIGNSAE_RETURN_IF_ERROR(file.Append(tensor->data));
  }
  return file.Commit(survives);
}

}  // namespace alignsae
