// What a client sends compressed.

#ifndef ALIGNSAE_TESTS_SUPPORT_GZIP_BYTES_H_
#define ALIGNSAE_TESTS_SUPPORT_GZIP_BYTES_H_

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

namespace alignsae {

inline std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9,
                         Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace alignsae

#endif  // ALIGNSAE_TESTS_SUPPORT_GZIP_BYTES_H_
