#include "server/config/validators.h"

#include <algorithm>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/posix_file.h"
#include "model/base/quote.h"
#include "server/config/endpoint.h"

namespace alignsae {
namespace {

// Of a configuration, a certificate or a key.
constexpr uint64_t kMaxFileBytes = 1 << 20;

}  // namespace

CLI::Validator IntIn(int64_t low, int64_t high) {
  return CLI::Validator(
      [low, high](std::string& text) -> std::string {
        int64_t value = 0;
        if (absl::SimpleAtoi(text, &value) && value >= low && value <= high) {
          return "";
        }
        return absl::StrCat("must be an integer in [", low, ", ", high,
                            "], got ", text);
      },
      absl::StrCat("in [", low, " - ", high, "]"));
}

CLI::Validator SecondsIn(double low, double high) {
  return CLI::Validator(
      [low, high](std::string& text) -> std::string {
        double value = 0;
        if (absl::SimpleAtod(text, &value) && value >= low && value <= high) {
          return "";
        }
        return absl::StrCat("must be a number of seconds in [", low, ", ", high,
                            "], got ", text);
      },
      absl::StrCat("in [", low, " - ", high, "]"));
}

CLI::Validator TextThat(std::string rule, std::string shown,
                        std::function<bool(const std::string&)> holds) {
  return CLI::Validator(
      [rule = std::move(rule),
       holds = std::move(holds)](std::string& text) -> std::string {
        if (holds(text)) return "";
        return absl::StrCat("must be ", rule, ", got ", Quoted(text));
      },
      std::move(shown));
}

CLI::Validator OneOf(std::vector<std::string> names) {
  const std::string rule = absl::StrCat("one of ", absl::StrJoin(names, ", "));
  return TextThat(rule, rule,
                  [names = std::move(names)](const std::string& text) {
                    return absl::c_linear_search(names, text);
                  });
}

CLI::Validator IsEndpoint() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const absl::StatusOr<Endpoint> endpoint = ParseEndpoint(text);
        return endpoint.ok() ? "" : std::string(endpoint.status().message());
      },
      "host:port");
}

CLI::Validator IsOrigin() {
  return TextThat("scheme://host[:port] or *", "scheme://host[:port]",
                  [](const std::string& text) {
                    const size_t scheme = text.find("://");
                    return text == "*" ||
                           (scheme != std::string::npos && scheme > 0 &&
                            scheme + 3 < text.size() &&
                            text.find('/', scheme + 3) == std::string::npos);
                  });
}

CLI::Validator IsHostName() {
  return TextThat("a name or an address without a port", "name",
                  [](const std::string& text) {
                    return !text.empty() &&
                           text.find_first_of("/ []") == std::string::npos &&
                           std::count(text.begin(), text.end(), ':') != 1;
                  });
}

CLI::Validator Directory() {
  constexpr char kRule[] = "an existing directory";
  return TextThat(kRule, kRule, [](std::string path) {
    return CLI::ExistingDirectory(path).empty();
  });
}

CLI::Validator File() {
  return CLI::Validator(
      [](std::string& path) -> std::string {
        const absl::StatusOr<OpenedFile> file = OpenRegularFile(path);
        if (!file.ok()) {
          return absl::StrCat("must be an existing file, got ", Quoted(path));
        }
        if (file->size <= kMaxFileBytes) return "";
        return absl::StrCat("must have at most ", kMaxFileBytes, " bytes, got ",
                            file->size, " in ", Quoted(path));
      },
      "an existing file");
}

}  // namespace alignsae
