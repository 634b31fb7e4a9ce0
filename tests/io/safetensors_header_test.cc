// A table of bad safetensors files, each with the exact error it must give.
// Every file is refused by its header alone, before any tensor is read.

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/io/safetensors.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

constexpr absl::StatusCode kLoss = absl::StatusCode::kDataLoss;
constexpr absl::StatusCode kLimit = absl::StatusCode::kResourceExhausted;
constexpr absl::StatusCode kDType = absl::StatusCode::kUnimplemented;

struct BadFile {
  std::string name;
  std::string bytes;
  absl::StatusCode code;
  std::string error;  // After "<path>: ".
};

// For gTest; keeps 16 MiB of bytes out of the log of a failure.
void PrintTo(const BadFile& bad, std::ostream* os) { *os << bad.name; }

std::string LittleEndian(uint64_t value) {
  std::string bytes;
  for (int i = 0; i < 8; ++i)
    bytes.push_back(static_cast<char>(value >> 8 * i));
  return bytes;
}

// Length, header and `data_bytes` bytes of data.
std::string File(const std::string& header, size_t data_bytes = 0) {
  return LittleEndian(header.size()) + header + std::string(data_bytes, 'd');
}

// A file whose one tensor "a" has these fields; 4 bytes of data.
std::string OneTensor(const std::string& fields) {
  return File(absl::StrCat("{\"a\":{", fields, "}}"), 4);
}
std::string Shape(const std::string& shape) {
  return OneTensor(absl::StrCat("\"dtype\":\"F32\",\"shape\":", shape,
                                ",\"data_offsets\":[0,4]"));
}
std::string Offsets(const std::string& offsets) {
  return OneTensor(absl::StrCat("\"dtype\":\"F32\",\"shape\":[1],",
                                "\"data_offsets\":", offsets));
}
std::string DTypeField(const std::string& dtype) {
  return OneTensor(absl::StrCat("\"dtype\":", dtype,
                                ",\"shape\":[1],\"data_offsets\":[0,4]"));
}
std::string Metadata(const std::string& value) {
  return File(absl::StrCat("{\"__metadata__\":", value, "}"));
}

// "name":{...} of an F32 tensor of `count` values at [begin, end).
std::string Entry(const std::string& name, int count, int begin, int end) {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"F32\",\"shape\":[", count,
                      "],\"data_offsets\":[", begin, ",", end, "]}");
}
std::string Entries(const std::vector<std::string>& entries,
                    size_t data_bytes) {
  return File(absl::StrCat("{", absl::StrJoin(entries, ","), "}"), data_bytes);
}

std::vector<BadFile> BadLengths() {
  return {
      {"empty_file", "", kLoss, "file: must be at least 8 bytes, got 0"},
      {"one_byte", "x", kLoss, "file: must be at least 8 bytes, got 1"},
      {"seven_bytes", "1234567", kLoss,
       "file: must be at least 8 bytes, got 7"},
      {"length_zero", File(""), kLoss, "header: must begin with '{'"},
      {"length_2_63", LittleEndian(uint64_t{1} << 63) + "{}", kLoss,
       "header length: must be at most 100000000, got 9223372036854775808"},
      {"length_2_64_less_1", LittleEndian(~uint64_t{0}) + "{}", kLoss,
       "header length: must be at most 100000000, got 18446744073709551615"},
      {"length_over_the_formats", LittleEndian(100'000'001) + "{}", kLoss,
       "header length: must be at most 100000000, got 100000001"},
      {"length_beyond_the_file", LittleEndian(11) + "{}", kLoss,
       "header length: must be at most 2, the rest of the file, got 11"},
      {"length_one_beyond_the_file", LittleEndian(3) + "{}", kLoss,
       "header length: must be at most 2, the rest of the file, got 3"},
      {"length_over_ours", File("{}" + std::string((16 << 20) - 1, ' ')),
       kLimit, "header length: must be at most 16777216, got 16777217"},
      {"length_is_big_endian", std::string("\0\0\0\0\0\0\0\2{}", 10), kLoss,
       "header length: must be at most 100000000, got 144115188075855872"},
      {"length_ends_in_a_character", LittleEndian(3) + "{\"\xc3\xa9\":1}",
       kLoss, "header: must be valid JSON in UTF-8, got an error at byte 4"},
  };
}

std::vector<BadFile> BadFirstBytes() {
  const std::string error = "header: must begin with '{'";
  return {
      {"begins_with_ff", File("\xff{}"), kLoss, error},
      {"byte_order_mark", File("\xef\xbb\xbf{}"), kLoss, error},
      {"utf16_little_endian", File(std::string("\xff\xfe{\0}\0", 6)), kLoss,
       error},
      {"utf16_big_endian", File(std::string("\0{\0}", 4)), kLoss, error},
      {"array", File("[]"), kLoss, error},
      {"null", File("null"), kLoss, error},
      {"number", File("1"), kLoss, error},
      {"string", File("\"x\""), kLoss, error},
      {"leading_space", File(" {}"), kLoss, error},
      {"leading_newline", File("\n{}"), kLoss, error},
  };
}

std::vector<BadFile> BadJson() {
  const auto at_byte = [](int byte) {
    return absl::StrCat(
        "header: must be valid JSON in UTF-8, got an error at byte ", byte);
  };
  return {
      {"one_brace", File("{"), kLoss, at_byte(2)},
      {"unterminated_string", File("{\"a"), kLoss, at_byte(4)},
      {"unterminated_object", File("{\"a\":{}"), kLoss,
       "tensor \"a\": must have dtype"},
      {"trailing_comma", File("{\"__metadata__\":{},}"), kLoss, at_byte(20)},
      {"comment", File("{/* c */}"), kLoss, at_byte(2)},
      {"single_quotes", File("{'a':1}"), kLoss, at_byte(2)},
      {"nan_literal", Shape("[NaN]"), kLoss, at_byte(30)},
      {"number_with_leading_zero", Shape("[01]"), kLoss, at_byte(31)},
      {"number_beyond_double", Shape("[1e999]"), kLoss, at_byte(34)},
      {"second_document", File("{}{}"), kLoss, at_byte(3)},
      {"bytes_after_the_object", File("{} x"), kLoss, at_byte(4)},
      {"padded_with_nul", File(std::string("{}\0\0", 4)), kLoss,
       "header: must not have NUL bytes, got one at byte 3"},
      {"newline_in_a_name", File("{\"a\nb\":1}"), kLoss, at_byte(4)},
      {"lone_surrogate", File("{\"\\ud800\":1}"), kLoss, at_byte(9)},
      {"overlong_utf8", File("{\"\xc0\x80\":1}"), kLoss, at_byte(3)},
      {"surrogate_in_utf8", File("{\"\xed\xa0\x80\":1}"), kLoss, at_byte(4)},
      {"utf8_beyond_unicode", File("{\"\xf4\x90\x80\x80\":1}"), kLoss,
       at_byte(4)},
      {"deep_metadata", Metadata("{\"k\":" + std::string(100'000, '[') + "}"),
       kLoss, "__metadata__ \"k\": must be a string, got an array"},
      {"deep_shape", Shape(std::string(100'000, '[')), kLoss,
       "tensor \"a\".shape[0]: must be an integer in [0, 2^48 - 1], got an "
       "array"},
  };
}

std::vector<BadFile> BadMembers() {
  return {
      {"tensor_is_a_number", File("{\"a\":1}"), kLoss,
       "tensor \"a\": must be an object, got 1"},
      {"tensor_is_null", File("{\"a\":null}"), kLoss,
       "tensor \"a\": must be an object, got null"},
      {"tensor_is_a_string", File("{\"a\":\"F32\"}"), kLoss,
       "tensor \"a\": must be an object, got \"F32\""},
      {"tensor_is_an_array", File("{\"a\":[]}"), kLoss,
       "tensor \"a\": must be an object, got an array"},
      {"tensor_without_fields", OneTensor(""), kLoss,
       "tensor \"a\": must have dtype"},
      {"tensor_without_dtype", OneTensor(R"("shape":[1],"data_offsets":[0,4])"),
       kLoss, "tensor \"a\": must have dtype"},
      {"tensor_without_shape",
       OneTensor(R"("dtype":"F32","data_offsets":[0,4])"), kLoss,
       "tensor \"a\": must have shape"},
      {"tensor_without_offsets", OneTensor(R"("dtype":"F32","shape":[1])"),
       kLoss, "tensor \"a\": must have data_offsets"},
      {"unknown_field",
       OneTensor(
           R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"stride":[1])"),
       kLoss,
       "tensor \"a\": must have only dtype, shape and data_offsets, got "
       "\"stride\""},
      {"unknown_field_by_case", OneTensor(R"("DType":"F32")"), kLoss,
       "tensor \"a\": must have only dtype, shape and data_offsets, got "
       "\"DType\""},
      {"name_with_nul", File("{\"a\\u0000b\":1}"), kLoss,
       "tensor name: must not have control characters, got \"a\\000b\""},
      {"name_with_escaped_newline", File("{\"a\\nb\":1}"), kLoss,
       "tensor name: must not have control characters, got \"a\\nb\""},
      {"name_with_delete", File("{\"\x7f\":1}"), kLoss,
       "tensor name: must not have control characters, got \"\\177\""},
      {"name_with_c1_control", File("{\"\xc2\x85\":1}"), kLoss,
       "tensor name: must not have control characters, got \"\xc2\x85\""},
      {"name_of_513_bytes", File("{\"" + std::string(513, 'n') + "\":1}"),
       kLimit, "tensor name: must be at most 512 bytes, got 513"},
      {"name_of_a_megabyte", File("{\"" + std::string(1 << 20, 'n') + "\":1}"),
       kLimit, "tensor name: must be at most 512 bytes, got 1048576"},
      {"metadata_is_an_array", Metadata("[]"), kLoss,
       "__metadata__: must be an object, got an array"},
      {"metadata_is_null", Metadata("null"), kLoss,
       "__metadata__: must be an object, got null"},
      {"metadata_is_a_string", Metadata("\"x\""), kLoss,
       "__metadata__: must be an object, got \"x\""},
      {"metadata_value_is_a_number", Metadata("{\"k\":1.50}"), kLoss,
       "__metadata__ \"k\": must be a string, got 1.50"},
      {"metadata_value_is_null", Metadata("{\"k\":null}"), kLoss,
       "__metadata__ \"k\": must be a string, got null"},
      {"metadata_value_is_true", Metadata("{\"k\":true}"), kLoss,
       "__metadata__ \"k\": must be a string, got true"},
      {"metadata_value_is_an_object", Metadata("{\"k\":{}}"), kLoss,
       "__metadata__ \"k\": must be a string, got an object"},
      {"metadata_over_a_megabyte",
       Metadata("{\"k\":\"" + std::string(1 << 20, 'v') + "\"}"), kLimit,
       "__metadata__: must be at most 1048576 bytes, got more"},
  };
}

std::vector<BadFile> Duplicates() {
  const std::string twice_a = "header: must not have a key twice, got \"a\"";
  return {
      {"tensor_twice_at_one_place",
       Entries({Entry("a", 1, 0, 4), Entry("a", 1, 0, 4)}, 4), kLoss, twice_a},
      {"tensor_twice_at_two_places",
       Entries({Entry("a", 1, 0, 4), Entry("a", 1, 4, 8)}, 8), kLoss, twice_a},
      {"tensor_twice_by_escape",
       Entries({Entry("a", 1, 0, 4), Entry("\\u0061", 1, 4, 8)}, 8), kLoss,
       twice_a},
      {"metadata_twice", File(R"({"__metadata__":{},"__metadata__":{}})"),
       kLoss, "header: must not have a key twice, got \"__metadata__\""},
      {"metadata_key_twice", Metadata(R"({"k":"1","\u006b":"2"})"), kLoss,
       "__metadata__: must not have a key twice, got \"k\""},
      {"dtype_twice", OneTensor(R"("dtype":"F32","dtype":"F32")"), kLoss,
       "tensor \"a\": must not have a key twice, got \"dtype\""},
      {"shape_twice", OneTensor(R"("shape":[1],"shape":[2])"), kLoss,
       "tensor \"a\": must not have a key twice, got \"shape\""},
      {"offsets_twice",
       OneTensor(R"("data_offsets":[0,4],"data\u005foffsets":[0,4])"), kLoss,
       "tensor \"a\": must not have a key twice, got \"data_offsets\""},
  };
}

std::vector<BadFile> BadDTypes() {
  const std::string rule =
      "tensor \"a\".dtype: must be one of BOOL, U8, I8, I16, U16, F16, BF16, "
      "I32, U32, F32, I64, U64, F64, got ";
  const std::string type = "tensor \"a\".dtype: must be a string, got ";
  return {
      {"dtype_in_lower_case", DTypeField("\"f32\""), kLoss, rule + "\"f32\""},
      {"dtype_unknown", DTypeField("\"F31\""), kLoss, rule + "\"F31\""},
      {"dtype_empty", DTypeField("\"\""), kLoss, rule + "\"\""},
      {"dtype_of_8_bits", DTypeField("\"F8_E4M3\""), kDType,
       rule + "\"F8_E4M3\""},
      {"dtype_of_4_bits", DTypeField("\"F4\""), kDType, rule + "\"F4\""},
      {"dtype_complex", DTypeField("\"C64\""), kDType, rule + "\"C64\""},
      {"dtype_is_a_number", DTypeField("32"), kLoss, type + "32"},
      {"dtype_is_null", DTypeField("null"), kLoss, type + "null"},
      {"dtype_is_an_array", DTypeField("[\"F32\"]"), kLoss, type + "an array"},
      {"dtype_is_an_object", DTypeField("{}"), kLoss, type + "an object"},
  };
}

std::vector<BadFile> BadShapes() {
  const std::string first =
      "tensor \"a\".shape[0]: must be an integer in [0, 2^48 - 1], got ";
  const std::string type = "tensor \"a\".shape: must be an array, got ";
  return {
      {"shape_negative", Shape("[-1]"), kLoss, first + "-1"},
      {"shape_minus_zero", Shape("[-0]"), kLoss, first + "-0"},
      {"shape_float", Shape("[1.0]"), kLoss, first + "1.0"},
      {"shape_exponent", Shape("[1e0]"), kLoss, first + "1e0"},
      {"shape_string", Shape("[\"1\"]"), kLoss, first + "\"1\""},
      {"shape_null", Shape("[null]"), kLoss, first + "null"},
      {"shape_object", Shape("[{}]"), kLoss, first + "an object"},
      {"shape_2_48", Shape("[281474976710656]"), kLoss,
       first + "281474976710656"},
      {"shape_2_63", Shape("[9223372036854775808]"), kLoss,
       first + "9223372036854775808"},
      {"shape_2_64", Shape("[18446744073709551616]"), kLoss,
       first + "18446744073709551616"},
      {"shape_bad_second", Shape("[1,false]"), kLoss,
       "tensor \"a\".shape[1]: must be an integer in [0, 2^48 - 1], got "
       "false"},
      {"shape_of_9_dimensions", Shape("[1,1,1,1,1,1,1,1,1]"), kLimit,
       "tensor \"a\".shape: must have at most 8 dimensions, got more"},
      {"shape_is_a_number", Shape("1"), kLoss, type + "1"},
      {"shape_is_a_string", Shape("\"[1]\""), kLoss, type + "\"[1]\""},
      {"shape_is_an_object", Shape("{\"0\":1}"), kLoss, type + "an object"},
      {"shape_product_overflows", Shape("[1099511627776,1099511627776]"), kLoss,
       "tensor \"a\".shape: must take less than 2^64 bytes, got "
       "[1099511627776, 1099511627776]"},
      {"shape_bytes_overflow", Shape("[140737488355328,32768]"), kLoss,
       "tensor \"a\".shape: must take less than 2^64 bytes, got "
       "[140737488355328, 32768]"},
      {"shape_overflows_before_a_zero", Shape("[140737488355328,131072,0]"),
       kLoss,
       "tensor \"a\".shape: must take less than 2^64 bytes, got "
       "[140737488355328, 131072, 0]"},
      {"shape_larger_than_the_range", Shape("[2]"), kLoss,
       "tensor \"a\".data_offsets: must span 8 bytes for F32 [2], got 4"},
      {"shape_smaller_than_the_range", Shape("[0]"), kLoss,
       "tensor \"a\".data_offsets: must span 0 bytes for F32 [0], got 4"},
      {"scalar_in_a_wider_range", Offsets("[0,8]"), kLoss,
       "tensor \"a\".data_offsets: must span 4 bytes for F32 [1], got 8"},
  };
}

std::vector<BadFile> BadOffsets() {
  const std::string first =
      "tensor \"a\".data_offsets[0]: must be an integer in [0, 2^48 - 1], got ";
  const std::string type = "tensor \"a\".data_offsets: must be an array, got ";
  return {
      {"offsets_none", Offsets("[]"), kLoss,
       "tensor \"a\".data_offsets: must be two integers, got 0"},
      {"offsets_one", Offsets("[0]"), kLoss,
       "tensor \"a\".data_offsets: must be two integers, got 1"},
      {"offsets_three", Offsets("[0,4,4]"), kLoss,
       "tensor \"a\".data_offsets: must be two integers, got more"},
      {"offsets_reversed",
       Entries({Entry("z", 1, 0, 4), Entry("a", 1, 4, 0)}, 4), kLoss,
       "tensor \"a\".data_offsets: must not decrease, got [4, 0]"},
      {"offsets_negative", Offsets("[-4,0]"), kLoss, first + "-4"},
      {"offsets_float", Offsets("[0.0,4]"), kLoss, first + "0.0"},
      {"offsets_2_64_less_1", Offsets("[18446744073709551615,3]"), kLoss,
       first + "18446744073709551615"},
      {"offsets_end_2_48", Offsets("[0,281474976710656]"), kLoss,
       "tensor \"a\".data_offsets[1]: must be an integer in [0, 2^48 - 1], "
       "got 281474976710656"},
      {"offsets_nested", Offsets("[[0,4]]"), kLoss, first + "an array"},
      {"offsets_is_a_number", Offsets("4"), kLoss, type + "4"},
      {"offsets_is_null", Offsets("null"), kLoss, type + "null"},
  };
}

std::vector<BadFile> BadLayouts() {
  const std::string b_after_a =
      "tensor \"b\".data_offsets[0]: must be 4, the end of the data before "
      "it, got ";
  std::vector<std::string> many;
  for (int i = 0; i <= 65536; ++i) {
    many.push_back(Entry(absl::StrCat("t", i), 0, 0, 0));
  }
  return {
      {"data_begins_late", Entries({Entry("a", 1, 8, 12)}, 12), kLoss,
       "tensor \"a\".data_offsets[0]: must be 0, the start of the data, got 8"},
      {"hole_of_one_byte",
       Entries({Entry("a", 1, 0, 4), Entry("b", 1, 5, 9)}, 9), kLoss,
       b_after_a + "5"},
      {"overlap_of_one_byte",
       Entries({Entry("a", 1, 0, 4), Entry("b", 1, 3, 7)}, 7), kLoss,
       b_after_a + "3"},
      {"two_tensors_at_one_place",
       Entries({Entry("a", 1, 0, 4), Entry("b", 1, 0, 4)}, 4), kLoss,
       b_after_a + "0"},
      {"empty_tensor_inside_another",
       Entries({Entry("a", 1, 0, 4), Entry("b", 0, 2, 2)}, 4), kLoss,
       b_after_a + "2"},
      {"empty_tensor_beyond_the_end",
       Entries({Entry("a", 1, 0, 4), Entry("b", 0, 8, 8)}, 4), kLoss,
       b_after_a + "8"},
      {"one_byte_short", Entries({Entry("a", 1, 0, 4)}, 3), kLoss,
       "file: must have 4 bytes after the header as its tensors say, got 3"},
      {"one_byte_long", Entries({Entry("a", 1, 0, 4)}, 5), kLoss,
       "file: must have 4 bytes after the header as its tensors say, got 5"},
      {"zip_appended",
       Entries({Entry("a", 1, 0, 4)}, 4) + "PK\5\6" + std::string(18, '\0'),
       kLoss,
       "file: must have 4 bytes after the header as its tensors say, got 26"},
      {"data_without_tensors", File("{}", 4), kLoss,
       "file: must have 0 bytes after the header as its tensors say, got 4"},
      {"more_than_65536_tensors", Entries(many, 0), kLimit,
       "header: must have at most 65536 tensors, got more"},
  };
}

std::vector<BadFile> AllBadFiles() {
  std::vector<BadFile> all;
  for (const auto& group :
       {BadLengths(), BadFirstBytes(), BadJson(), BadMembers(), Duplicates(),
        BadDTypes(), BadShapes(), BadOffsets(), BadLayouts()}) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

class BadSafetensorsTest : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensorsTest, IsRefusedWithItsExactError) {
  const BadFile& bad = GetParam();
  const std::string path =
      absl::StrCat(::testing::TempDir(), "/bad_", bad.name, ".safetensors");
  std::ofstream(path, std::ios::binary) << bad.bytes;
  EXPECT_THAT(SafetensorsFile::Open(path),
              StatusIs(bad.code, absl::StrCat(path, ": ", bad.error)));
  std::remove(path.c_str());
}

INSTANTIATE_TEST_SUITE_P(Table, BadSafetensorsTest,
                         ::testing::ValuesIn(AllBadFiles()),
                         [](const ::testing::TestParamInfo<BadFile>& test) {
                           return test.param.name;
                         });

TEST(BadSafetensorsTableTest, HasAtLeastEightyFiles) {
  EXPECT_GE(AllBadFiles().size(), 80u);
}

TEST(SafetensorsHeaderTest, RefusesAHeaderLargerThanItsFile) {
  EXPECT_THAT(
      ParseSafetensorsHeader("{}", 9),
      StatusIs(kLoss,
               "file: must hold its header of 2 bytes, got 9 bytes in all"));
}

}  // namespace
}  // namespace alignsae
