// Files that are right at the edge of the rules, the writer, and what the file
// system can do to a reader.

#include "model/io/safetensors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

// An empty directory of its own for every test.
class SafetensorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    directory_ =
        absl::StrCat(::testing::TempDir(), "/safetensors_test_", test->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const {
    return absl::StrCat(directory_, "/", name);
  }
  // Writes a file of this header and data, and gives its path.
  std::string Put(const std::string& header, const std::string& data = "") {
    const uint64_t size = header.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof(size));
    const std::string path = Path("model.safetensors");
    std::ofstream(path, std::ios::binary) << bytes << header << data;
    return path;
  }

  std::string directory_;
};

std::string Entry(const std::string& name, const std::string& shape, int begin,
                  int end, const std::string& dtype = "F32") {
  return absl::StrCat("\"", name, "\":{\"dtype\":\"", dtype,
                      "\",\"shape\":", shape, ",\"data_offsets\":[", begin, ",",
                      end, "]}");
}

// The bytes of tensor `name`.
std::string Data(const SafetensorsFile& file, const std::string& name) {
  const TensorEntry* entry = file.Find(name);
  if (entry == nullptr) return "(absent)";
  std::string out(entry->end - entry->begin, '?');
  EXPECT_OK(file.ReadBytes(*entry, 0, absl::MakeSpan(out)));
  return out;
}

TEST_F(SafetensorsTest, OpensAFileWithoutTensors) {
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(Put("{}")));
  EXPECT_THAT(file.header().tensors, IsEmpty());
  EXPECT_EQ(file.header().data_offset, 10u);
  EXPECT_EQ(file.Find("a"), nullptr);
}

TEST_F(SafetensorsTest, OpensScalarsAndEmptyTensors) {
  const std::string header = absl::StrCat("{", Entry("scalar", "[]", 0, 4), ",",
                                          Entry("none", "[2,0,3]", 4, 4), ",",
                                          Entry("last", "[1,1]", 4, 8), "}");
  ASSERT_OK_AND_ASSIGN(auto file,
                       SafetensorsFile::Open(Put(header, "abcdefgh")));
  EXPECT_THAT(file.Find("scalar")->shape, IsEmpty());
  EXPECT_THAT(file.Find("none")->shape, ElementsAre(2, 0, 3));
  EXPECT_EQ(Data(file, "scalar"), "abcd");
  EXPECT_EQ(Data(file, "none"), "");
  EXPECT_EQ(Data(file, "last"), "efgh");
}

TEST_F(SafetensorsTest, OpensAHeaderPaddedWithBlanksAtItsEnd) {
  for (const std::string padding : {" ", "   ", "\n", "\t \r\n"}) {
    EXPECT_OK(SafetensorsFile::Open(Put("{}" + padding)));
  }
}

TEST_F(SafetensorsTest, OpensDataAtAnyAlignment) {
  std::string header = absl::StrCat("{", Entry("b", "[1]", 0, 1, "BOOL"), ",",
                                    Entry("d", "[1]", 1, 9, "F64"), "}");
  ASSERT_OK_AND_ASSIGN(auto file,
                       SafetensorsFile::Open(Put(header, "b01234567")));
  EXPECT_EQ(Data(file, "d"), "01234567");
}

TEST_F(SafetensorsTest, OpensTensorsInAnyOrderOfTheHeader) {
  const std::string header = absl::StrCat(
      "{", Entry("second", "[1]", 4, 8), ",", Entry("first", "[1]", 0, 4), "}");
  ASSERT_OK_AND_ASSIGN(auto file,
                       SafetensorsFile::Open(Put(header, "11112222")));
  EXPECT_EQ(Data(file, "first"), "1111");
  EXPECT_EQ(Data(file, "second"), "2222");
}

TEST_F(SafetensorsTest, OpensBlanksBetweenTokensAndEscapesInNames) {
  const std::string header =
      "{ \"\\u0061\\u00e9\" :\n{ \"shape\" : [ 1 ] , \"dtype\" : \"F32\" ,"
      "\t\"data_offsets\" : [ 0 , 4 ] } }";
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(Put(header, "data")));
  EXPECT_EQ(Data(file, "a\xc3\xa9"), "data");
}

TEST_F(SafetensorsTest, OpensNamesAtTheLimits) {
  const std::string longest(512, 'n');
  const std::string header =
      absl::StrCat("{", Entry(longest, "[1,1,1,1,1,1,1,1]", 0, 4), ",",
                   Entry("", "[0]", 4, 4), "}");
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(Put(header, "data")));
  EXPECT_EQ(Data(file, longest), "data");
  EXPECT_EQ(Data(file, ""), "");
}

TEST_F(SafetensorsTest, OpensEveryDtypeByItsSize) {
  const std::vector<std::pair<std::string, int>> sizes = {
      {"BOOL", 1}, {"U8", 1},   {"I8", 1},  {"I16", 2}, {"U16", 2},
      {"F16", 2},  {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},
      {"I64", 8},  {"U64", 8},  {"F64", 8}};
  for (const auto& [name, size] : sizes) {
    const std::string header =
        absl::StrCat("{", Entry("t", "[3]", 0, 3 * size, name), "}");
    ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(Put(
                                        header, std::string(3 * size, 'x'))));
    EXPECT_EQ(DTypeName(file.Find("t")->dtype), name);
    EXPECT_EQ(DTypeBytes(file.Find("t")->dtype), size);
  }
}

TEST_F(SafetensorsTest, GivesTheMetadata) {
  ASSERT_OK_AND_ASSIGN(
      auto file,
      SafetensorsFile::Open(Put(R"({"__metadata__":{"format":"pt","":"x"}})")));
  EXPECT_THAT(file.header().metadata,
              UnorderedElementsAre(Pair("format", "pt"), Pair("", "x")));
  EXPECT_THAT(file.header().tensors, IsEmpty());
}

TEST_F(SafetensorsTest, RefusesToReadOutsideOfATensor) {
  const std::string path =
      Put(absl::StrCat("{", Entry("a", "[2]", 0, 8), "}"), "01234567");
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(path));
  char out[4];
  EXPECT_OK(file.ReadBytes(*file.Find("a"), 4, absl::MakeSpan(out)));
  EXPECT_EQ(std::string(out, 4), "4567");
  for (const uint64_t offset : {uint64_t{5}, uint64_t{9}, ~uint64_t{0}}) {
    EXPECT_THAT(
        file.ReadBytes(*file.Find("a"), offset, absl::MakeSpan(out)),
        StatusIs(absl::StatusCode::kInvalidArgument,
                 absl::StrCat(path,
                              ": tensor \"a\": must be read within its 8 "
                              "bytes, got 4 bytes from byte ",
                              offset)));
  }
}

TEST_F(SafetensorsTest, SaysWhenTheFileWasCutAfterItWasOpened) {
  const std::string path =
      Put(absl::StrCat("{", Entry("a", "[2]", 0, 8), "}"), "01234567");
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(path));
  const uint64_t cut = file.header().data_offset + 6;
  ASSERT_EQ(truncate(path.c_str(), static_cast<off_t>(cut)), 0);
  char out[8];
  EXPECT_THAT(
      file.ReadBytes(*file.Find("a"), 0, absl::MakeSpan(out)),
      StatusIs(absl::StatusCode::kDataLoss,
               absl::StrCat(path, ": ended at byte ", cut,
                            " while 8 bytes from byte ", cut - 6,
                            " were read; it was cut after it was opened")));
}

TEST_F(SafetensorsTest, KeepsReadingTheFileThatItOpenedWhenAnotherReplacesIt) {
  const std::string header = absl::StrCat("{", Entry("a", "[1]", 0, 4), "}");
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(Put(header, "old!")));
  ASSERT_OK(WriteFileAtomically(file.path(), "something else"));
  EXPECT_EQ(Data(file, "a"), "old!");
}

TEST_F(SafetensorsTest, RefusesPathsThatAreNoRegularFile) {
  const auto refused = [this](const std::string& name, absl::StatusCode code,
                              const std::string& error) {
    EXPECT_THAT(SafetensorsFile::Open(Path(name)),
                StatusIs(code, absl::StrCat(Path(name), ": ", error)));
  };
  std::filesystem::create_directory(Path("directory"));
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink("nowhere", Path("dangling"));
  std::filesystem::create_symlink("loop", Path("loop"));
  Put("{}");
  const auto invalid = absl::StatusCode::kInvalidArgument;
  refused("directory", invalid, "must be a regular file, got a directory");
  refused("fifo", invalid,
          "must be a regular file, got a device, pipe or socket");
  refused("dangling", absl::StatusCode::kNotFound,
          "cannot open: No such file or directory");
  refused("absent", absl::StatusCode::kNotFound,
          "cannot open: No such file or directory");
  refused("model.safetensors/below", absl::StatusCode::kNotFound,
          "cannot open: Not a directory");
  refused("loop", invalid, "cannot open: Too many levels of symbolic links");
  refused(std::string(300, 'n'), invalid, "cannot open: File name too long");
  EXPECT_THAT(SafetensorsFile::Open("/dev/zero"),
              StatusIs(invalid, HasSubstr("got a device")));
  EXPECT_THAT(SafetensorsFile::Open(std::string("a\0b", 3)),
              StatusIs(invalid, "path: must not hold a NUL byte"));
}

TEST_F(SafetensorsTest, RefusesASocket) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string path = Path("socket");
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  EXPECT_THAT(
      SafetensorsFile::Open(path),
      StatusIs(absl::StatusCode::kInvalidArgument,
               absl::StrCat(path, ": cannot open: No such device or address")));
  close(fd);
}

TEST_F(SafetensorsTest, FollowsASymlinkToAFile) {
  Put("{}");
  std::filesystem::create_symlink("model.safetensors", Path("link"));
  EXPECT_OK(SafetensorsFile::Open(Path("link")));
}

TEST_F(SafetensorsTest, RefusesAFileThatItMayNotRead) {
  const std::string path = Put("{}");
  ASSERT_EQ(chmod(path.c_str(), 0), 0);
  // Root may read every file: be nobody for a moment.
  const bool root = geteuid() == 0;
  if (root && seteuid(65534) != 0) GTEST_SKIP() << "cannot leave root here";
  const absl::Status status = SafetensorsFile::Open(path).status();
  ASSERT_TRUE(!root || seteuid(0) == 0);
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kPermissionDenied,
                       absl::StrCat(path, ": cannot open: Permission denied")));
}

TEST_F(SafetensorsTest, RefusesASparseFileOfATerabyteByItsSize) {
  // A valid file: one tensor as large as the hole after the header.
  const int64_t terabyte = int64_t{1} << 40;
  const std::string path =
      Put(absl::StrCat(R"({"a":{"dtype":"U8","shape":[)", terabyte,
                       R"(],"data_offsets":[0,)", terabyte, "]}}"));
  const int64_t size = terabyte + std::filesystem::file_size(path);
  if (truncate(path.c_str(), size) != 0) {
    GTEST_SKIP() << "the file system here has no files of a terabyte";
  }
  EXPECT_THAT(
      SafetensorsFile::Open(path),
      StatusIs(absl::StatusCode::kResourceExhausted,
               absl::StrCat(path,
                            ": file: must be at most 68719476736 bytes, "
                            "got ",
                            size)));
}

TEST_F(SafetensorsTest, ReadsOnlyTheHeaderOfASparseFileWithinTheLimit) {
  const int64_t size = int64_t{32} << 30;
  const std::string path =
      Put(absl::StrCat(R"({"a":{"dtype":"U8","shape":[)", size,
                       R"(],"data_offsets":[0,)", size, "]}}"));
  const int64_t total = size + std::filesystem::file_size(path);
  if (truncate(path.c_str(), total) != 0) {
    GTEST_SKIP() << "the file system here has no files of 32 GiB";
  }
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(path));
  char last = 'x';
  EXPECT_OK(
      file.ReadBytes(*file.Find("a"), size - 1, absl::MakeSpan(&last, 1)));
  EXPECT_EQ(last, '\0');
}

TEST_F(SafetensorsTest, WritesWhatItReads) {
  const std::vector<TensorToWrite> tensors = {
      {.name = "b", .dtype = DType::kF16, .shape = {2}, .data = "hhHH"},
      {.name = "a\"\\\xc3\xa9",
       .dtype = DType::kF32,
       .shape = {},
       .data = "ffff"},
      {.name = "none", .dtype = DType::kBool, .shape = {0}, .data = ""}};
  const std::string path = Path("written");
  ASSERT_OK(WriteSafetensors(path, tensors, {{"k\n", "v"}}));
  ASSERT_OK_AND_ASSIGN(auto file, SafetensorsFile::Open(path));
  EXPECT_EQ(file.header().tensors.size(), 3u);
  EXPECT_THAT(file.header().metadata, UnorderedElementsAre(Pair("k\n", "v")));
  EXPECT_EQ(file.header().data_offset % 8, 0u);
  for (const TensorToWrite& tensor : tensors) {
    EXPECT_EQ(Data(file, tensor.name), tensor.data);
    EXPECT_EQ(file.Find(tensor.name)->shape, tensor.shape);
    EXPECT_EQ(file.Find(tensor.name)->dtype, tensor.dtype);
  }
}

TEST_F(SafetensorsTest, WritesTheSameBytesForTensorsInAnyOrder) {
  const TensorToWrite half = {
      .name = "a", .dtype = DType::kF16, .shape = {1}, .data = "hh"};
  const TensorToWrite full = {
      .name = "b", .dtype = DType::kF32, .shape = {1}, .data = "ffff"};
  ASSERT_OK(WriteSafetensors(Path("one"), {half, full}, {}));
  ASSERT_OK(WriteSafetensors(Path("two"), {full, half}, {}));
  ASSERT_OK_AND_ASSIGN(std::string one, ReadFile(Path("one")));
  EXPECT_THAT(ReadFile(Path("two")), IsOkAndHolds(one));
  // The wider type comes first, so that both are aligned.
  EXPECT_THAT(one, ::testing::EndsWith("ffffhh"));
}

TEST_F(SafetensorsTest, RefusesToWriteWhatItWouldRefuseToRead) {
  const std::string path = Path("refused");
  const auto refused = [&path](const std::vector<TensorToWrite>& tensors,
                               const std::string& error) {
    EXPECT_THAT(WriteSafetensors(path, tensors, {}),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         absl::StrCat(path, ": ", error)));
  };
  const TensorToWrite good = {
      .name = "a", .dtype = DType::kF32, .shape = {1}, .data = "ffff"};
  TensorToWrite bad = good;
  bad.shape = {2};
  refused({bad},
          "tensor \"a\".data_offsets: must span 8 bytes for F32 [2], got 4");
  bad.shape = {-1};
  refused({bad},
          "tensor \"a\".shape[0]: must be an integer in [0, 2^48 - 1], got -1");
  refused({good, good}, "header: must not have a key twice, got \"a\"");
  bad = good;
  bad.name = "a\n";
  refused({bad}, "tensor name: must not have control characters, got \"a\\n\"");
  bad.name = "\xff";
  refused({bad}, "tensor name: must be UTF-8");
  bad.name = "__metadata__";
  refused({bad}, "__metadata__ \"shape\": must be a string, got an array");
  EXPECT_THAT(WriteSafetensors(path, {good}, {{"k", "\xff"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       absl::StrCat(path, ": __metadata__: must be UTF-8")));
  EXPECT_THAT(std::filesystem::directory_iterator(directory_),
              std::filesystem::directory_iterator());
}

}  // namespace
}  // namespace alignsae
