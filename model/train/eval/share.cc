#include "model/train/eval/share.h"

#include <cstdint>

#include "absl/strings/str_format.h"
#include "model/steering/write_certificate.h"

namespace alignsae {

nlohmann::ordered_json ShareToJson(double right, double n) {
  const Interval interval = WilsonInterval(right, n);
  return {{"n", static_cast<int64_t>(n)},
          {"rate", right / n},
          {"low", interval.low},
          {"high", interval.high}};
}

std::string ShareText(const nlohmann::ordered_json& share) {
  if (share.is_null()) return "-";
  return absl::StrFormat("%.3f [%.3f, %.3f]", share.at("rate").get<double>(),
                         share.at("low").get<double>(),
                         share.at("high").get<double>());
}

}  // namespace alignsae
