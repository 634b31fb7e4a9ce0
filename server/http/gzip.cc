#include "server/http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "model/base/field_error.h"

namespace alignsae {
namespace {

constexpr int kGzipOnly = 16 + MAX_WBITS;
constexpr size_t kFirstBytes = 16 << 10;

struct EndInflate {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

}  // namespace

absl::StatusOr<std::string> Gunzip(absl::string_view bytes, size_t max_bytes) {
  z_stream stream = {};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) {
    return absl::ResourceExhaustedError("gzip: must have memory to inflate");
  }
  const std::unique_ptr<z_stream, EndInflate> ends(&stream);
  // zlib reads only, but its type says otherwise.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    const size_t before = out.size();
    // One byte more than is allowed shows that there is more.
    const size_t room =
        std::min(max_bytes + 1 - before, std::max(kFirstBytes, before));
    if (room == 0) break;
    out.resize(before + room);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(room);
    state = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + room - stream.avail_out);
  }
  if (out.size() > max_bytes) {
    return InvalidField(
        "request",
        absl::StrCat("have at most ", max_bytes, " bytes when inflated"),
        "more");
  }
  if (state != Z_STREAM_END || stream.avail_in != 0) {
    return InvalidField("request", "be one whole gzip member",
                        absl::StrCat(bytes.size(), " other bytes"));
  }
  return out;
}

}  // namespace alignsae
