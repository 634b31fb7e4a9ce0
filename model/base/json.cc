#include "model/base/json.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "model/base/quote.h"

namespace alignsae {
namespace {

using Json = nlohmann::json;

// nlohmann's explanation of a syntax error, without its "[json.exception...]"
// prefix. It quotes the input, which need not be UTF-8 or one line.
std::string Explain(absl::string_view what) {
  constexpr size_t kMaxBytes = 200;
  const size_t start = what.find("] ");
  if (start != absl::string_view::npos) what.remove_prefix(start + 2);
  std::string text(what.substr(0, kMaxBytes));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text;
}

// Builds the document and refuses what nlohmann's own parser lets through:
// duplicate keys, deep nesting and documents that cost far more memory than
// their text.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(int64_t value) override { return Add(value); }
  bool number_unsigned(uint64_t value) override { return Add(value); }
  bool number_float(double value, const std::string&) override {
    return Add(value);
  }
  bool string(std::string& value) override { return Add(std::move(value)); }
  bool binary(Json::binary_t&) override { return Fail("binary value"); }

  bool start_object(size_t) override { return Open(Json::object()); }
  bool start_array(size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(std::string& name) override {
    if (!keys_.back().insert(name).second) {
      return Fail(absl::StrCat("duplicate key ", Quoted(name)));
    }
    key_ = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const Json::exception& error) override {
    return Fail(absl::StrCat(Explain(error.what()), " (byte ", position, ")"));
  }

  const std::string& error() const { return error_; }
  Json Take() { return std::move(root_); }

 private:
  template <typename T>
  bool Add(T&& value) {
    return Place(Json(std::forward<T>(value))) != nullptr;
  }

  // Null when the document has too many values.
  Json* Place(Json value) {
    if (++values_ > limits_.max_values) {
      Fail(absl::StrCat("more than ", limits_.max_values, " values"));
      return nullptr;
    }
    if (stack_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  bool Open(Json container) {
    if (static_cast<int>(stack_.size()) >= limits_.max_depth) {
      return Fail(absl::StrCat("nesting deeper than ", limits_.max_depth));
    }
    Json* const placed = Place(std::move(container));
    if (placed == nullptr) return false;
    stack_.push_back(placed);
    keys_.emplace_back();
    return true;
  }

  bool Close() {
    stack_.pop_back();
    keys_.pop_back();
    return true;
  }

  bool Fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
    return false;
  }

  const JsonLimits& limits_;
  Json root_;
  // Containers that are open. A pointer stays valid while its container is
  // open, because only the innermost one grows.
  std::vector<Json*> stack_;
  std::vector<absl::flat_hash_set<std::string>> keys_;
  std::string key_;
  int64_t values_ = 0;
  std::string error_;
};

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text,
                               const JsonLimits& limits) {
  if (text.size() >= 3 && text.substr(0, 3) == "\xef\xbb\xbf") {
    return absl::InvalidArgumentError(
        "not strict JSON: starts with a byte-order mark");
  }
  // nlohmann takes a NUL for the end of the text and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("not strict JSON: NUL byte (byte ", nul + 1, ")"));
  }
  StrictBuilder builder(limits);
  const bool parsed = Json::sax_parse(text.begin(), text.end(), &builder,
                                      Json::input_format_t::json,
                                      /*strict=*/true);
  if (!parsed) {
    return absl::InvalidArgumentError(
        absl::StrCat("not strict JSON: ", builder.error()));
  }
  return builder.Take();
}

}  // namespace alignsae
