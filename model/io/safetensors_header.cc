// The header of a safetensors file as JSON: form, types and limits. Byte ranges
// are checked afterwards, in safetensors_layout.cc.
//
// The JSON is taken as a stream of events straight into TensorEntry, without a
// document tree in between: a hostile header costs no more memory than its
// limits allow, and an error names the tensor and the field.

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/quote.h"
#include "model/base/status_macros.h"
#include "model/io/safetensors.h"
#include "model/io/safetensors_layout.h"
#include "nlohmann/json.hpp"

namespace alignsae {
namespace {

constexpr size_t kMaxTensors = 65536;
constexpr size_t kMaxNameBytes = 512;
constexpr size_t kMaxRank = 8;
constexpr size_t kMaxMetadataBytes = size_t{1} << 20;
constexpr uint64_t kMaxInteger = (uint64_t{1} << 48) - 1;  // R16.
constexpr absl::string_view kMetadataKey = "__metadata__";

bool HasControlCharacter(absl::string_view utf8) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    const unsigned char c = utf8[i];
    if (c < 0x20 || c == 0x7f) return true;
    // U+0080 to U+009F.
    if (c == 0xc2 && i + 1 < utf8.size() &&
        static_cast<unsigned char>(utf8[i + 1]) < 0xa0) {
      return true;
    }
  }
  return false;
}

class HeaderBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return Scalar("null"); }
  bool boolean(bool value) override { return Scalar(value ? "true" : "false"); }
  bool number_integer(int64_t value) override {
    // Only what starts with a minus sign comes here.
    return Scalar(value == 0 ? "-0" : absl::StrCat(value));
  }
  bool number_unsigned(uint64_t value) override;
  bool number_float(double, const std::string& text) override {
    return Scalar(text.substr(0, 40));
  }
  bool string(std::string& value) override;
  bool binary(nlohmann::json::binary_t&) override { return Scalar("binary"); }
  bool start_object(size_t) override;
  bool start_array(size_t) override;
  bool key(std::string& name) override;
  bool end_object() override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return Fail(
        absl::StrCat("header: must be valid JSON in UTF-8, got an "
                     "error at byte ",
                     position));
  }

  const absl::Status& status() const { return status_; }
  SafetensorsHeader Take() { return std::move(header_); }

 private:
  // What the next value belongs to.
  enum class Where { kStart, kTop, kMetadata, kTensor, kShape, kOffsets };
  enum Field { kDType = 1, kShapeField = 2, kOffsetsField = 4 };

  bool Fail(const std::string& message) {
    status_ = absl::DataLossError(message);
    return false;
  }
  bool OverLimit(const std::string& message) {
    status_ = absl::ResourceExhaustedError(message);
    return false;
  }
  // A value that is right nowhere, or not at this place.
  bool Scalar(absl::string_view got);
  bool TopKey(std::string& name);
  bool MetadataKey(std::string& name);
  bool TensorKey(const std::string& name);
  bool SetDType(const std::string& name);
  // The place of the next value, for messages: tensor "a".shape[2].
  std::string Place() const;
  absl::string_view Expected() const;

  SafetensorsHeader header_;
  absl::Status status_;
  Where where_ = Where::kStart;
  TensorEntry entry_;              // The tensor being read,
  int seen_ = 0;                   // its fields so far,
  Field field_ = kDType;           // and the field whose value comes next.
  std::vector<uint64_t> numbers_;  // Elements of shape or data_offsets so far.
  bool metadata_seen_ = false;
  std::string metadata_key_;
  size_t metadata_bytes_ = 0;
};

std::string HeaderBuilder::Place() const {
  switch (where_) {
    case Where::kStart:
      return "header";
    case Where::kTop:
      return entry_.name == kMetadataKey ? std::string(kMetadataKey)
                                         : TensorLabel(entry_.name);
    case Where::kMetadata:
      return absl::StrCat(kMetadataKey, " ", Quoted(metadata_key_));
    case Where::kTensor:
      return absl::StrCat(TensorLabel(entry_.name), field_ == kDType ? ".dtype"
                                                    : field_ == kShapeField
                                                        ? ".shape"
                                                        : ".data_offsets");
    case Where::kShape:
      return absl::StrCat(TensorLabel(entry_.name), ".shape[", numbers_.size(),
                          "]");
    case Where::kOffsets:
      return absl::StrCat(TensorLabel(entry_.name), ".data_offsets[",
                          numbers_.size(), "]");
  }
  return "header";
}

absl::string_view HeaderBuilder::Expected() const {
  switch (where_) {
    case Where::kStart:
    case Where::kTop:
      return "an object";
    case Where::kMetadata:
      return "a string";
    case Where::kTensor:
      return field_ == kDType ? "a string" : "an array";
    case Where::kShape:
    case Where::kOffsets:
      return "an integer in [0, 2^48 - 1]";
  }
  return "absent";
}

bool HeaderBuilder::Scalar(absl::string_view got) {
  return Fail(absl::StrCat(Place(), ": must be ", Expected(), ", got ", got));
}

bool HeaderBuilder::number_unsigned(uint64_t value) {
  const bool in_list = where_ == Where::kShape || where_ == Where::kOffsets;
  if (!in_list || value > kMaxInteger) return Scalar(absl::StrCat(value));
  if (where_ == Where::kShape && numbers_.size() == kMaxRank) {
    return OverLimit(absl::StrCat(TensorLabel(entry_.name),
                                  ".shape: must have at most ", kMaxRank,
                                  " dimensions, got more"));
  }
  if (where_ == Where::kOffsets && numbers_.size() == 2) {
    return Fail(absl::StrCat(TensorLabel(entry_.name),
                             ".data_offsets: must be two integers, got more"));
  }
  numbers_.push_back(value);
  return true;
}

bool HeaderBuilder::string(std::string& value) {
  if (where_ == Where::kMetadata) {
    metadata_bytes_ += value.size();
    if (metadata_bytes_ > kMaxMetadataBytes) {
      return OverLimit(absl::StrCat(kMetadataKey, ": must be at most ",
                                    kMaxMetadataBytes, " bytes, got more"));
    }
    header_.metadata.emplace(std::move(metadata_key_), std::move(value));
    return true;
  }
  if (where_ == Where::kTensor && field_ == kDType) return SetDType(value);
  return Scalar(Quoted(value));
}

bool HeaderBuilder::SetDType(const std::string& name) {
  absl::StatusOr<DType> dtype = ParseDType(name);
  if (!dtype.ok()) {
    status_ =
        absl::Status(dtype.status().code(),
                     absl::StrCat(Place(), ": ", dtype.status().message()));
    return false;
  }
  entry_.dtype = *dtype;
  return true;
}

bool HeaderBuilder::start_object(size_t) {
  if (where_ == Where::kStart) {
    where_ = Where::kTop;
    return true;
  }
  if (where_ == Where::kTop) {
    where_ = entry_.name == kMetadataKey ? Where::kMetadata : Where::kTensor;
    return true;
  }
  return Scalar("an object");
}

bool HeaderBuilder::start_array(size_t) {
  if (where_ != Where::kTensor || field_ == kDType) return Scalar("an array");
  where_ = field_ == kShapeField ? Where::kShape : Where::kOffsets;
  numbers_.clear();
  return true;
}

bool HeaderBuilder::key(std::string& name) {
  switch (where_) {
    case Where::kMetadata:
      return MetadataKey(name);
    case Where::kTensor:
      return TensorKey(name);
    default:
      return TopKey(name);
  }
}

bool HeaderBuilder::TopKey(std::string& name) {
  if (name.size() > kMaxNameBytes) {
    return OverLimit(absl::StrCat("tensor name: must be at most ",
                                  kMaxNameBytes, " bytes, got ", name.size()));
  }
  if (HasControlCharacter(name)) {
    return Fail(absl::StrCat(
        "tensor name: must not have control characters, got ", Quoted(name)));
  }
  if (name == kMetadataKey ? metadata_seen_ : header_.tensors.contains(name)) {
    return Fail(
        absl::StrCat("header: must not have a key twice, got ", Quoted(name)));
  }
  if (header_.tensors.size() == kMaxTensors && name != kMetadataKey) {
    return OverLimit(absl::StrCat("header: must have at most ", kMaxTensors,
                                  " tensors, got more"));
  }
  metadata_seen_ |= name == kMetadataKey;
  entry_ = TensorEntry();
  entry_.name = std::move(name);
  seen_ = 0;
  return true;
}

bool HeaderBuilder::MetadataKey(std::string& name) {
  if (header_.metadata.contains(name)) {
    return Fail(absl::StrCat(kMetadataKey, ": must not have a key twice, got ",
                             Quoted(name)));
  }
  metadata_bytes_ += name.size();
  metadata_key_ = std::move(name);
  return true;
}

bool HeaderBuilder::TensorKey(const std::string& name) {
  if (name == "dtype") {
    field_ = kDType;
  } else if (name == "shape") {
    field_ = kShapeField;
  } else if (name == "data_offsets") {
    field_ = kOffsetsField;
  } else {
    return Fail(absl::StrCat(
        TensorLabel(entry_.name),
        ": must have only dtype, shape and data_offsets, got ", Quoted(name)));
  }
  if (seen_ & field_) {
    return Fail(absl::StrCat(TensorLabel(entry_.name),
                             ": must not have a key twice, got ",
                             Quoted(name)));
  }
  seen_ |= field_;
  return true;
}

bool HeaderBuilder::end_array() {
  if (where_ == Where::kShape) {
    entry_.shape.assign(numbers_.begin(), numbers_.end());
  } else if (numbers_.size() == 2) {
    entry_.begin = numbers_[0];
    entry_.end = numbers_[1];
  } else {
    return Fail(absl::StrCat(TensorLabel(entry_.name),
                             ".data_offsets: must be two integers, got ",
                             numbers_.size()));
  }
  where_ = Where::kTensor;
  return true;
}

bool HeaderBuilder::end_object() {
  if (where_ == Where::kTensor) {
    for (const auto& [field, name] :
         {std::pair{kDType, "dtype"}, std::pair{kShapeField, "shape"},
          std::pair{kOffsetsField, "data_offsets"}}) {
      if (seen_ & field) continue;
      return Fail(absl::StrCat(TensorLabel(entry_.name), ": must have ", name));
    }
    std::string name = entry_.name;
    header_.tensors.emplace(std::move(name), std::move(entry_));
  }
  where_ = Where::kTop;  // After the last brace nothing can follow.
  return true;
}

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view json,
                                                         uint64_t file_size) {
  const uint64_t data_offset = sizeof(uint64_t) + json.size();
  if (data_offset > file_size) {
    return absl::DataLossError(absl::StrCat("file: must hold its header of ",
                                            json.size(), " bytes, got ",
                                            file_size, " bytes in all"));
  }
  if (json.empty() || json[0] != '{') {
    return absl::DataLossError("header: must begin with '{'");
  }
  // nlohmann takes a NUL for the end of the text and would ignore what follows.
  if (const size_t nul = json.find('\0'); nul != absl::string_view::npos) {
    return absl::DataLossError(absl::StrCat(
        "header: must not have NUL bytes, got one at byte ", nul + 1));
  }
  HeaderBuilder builder;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &builder)) {
    return builder.status();
  }
  SafetensorsHeader header = builder.Take();
  header.data_offset = data_offset;
  ALIGNSAE_RETURN_IF_ERROR(CheckLayout(header, file_size));
  return header;
}

}  // namespace alignsae
