// Write certificates as JSON: what is read is what was written, and a figure
// that follows from others cannot be edited.

#include "model/steering/write_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/base/json.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using Pointer = nlohmann::json::json_pointer;

WriteCertificate Certificate() {
  return {.cosine = 0.95,
          .written_share = 0.8,
          .measured_swap = MeasuredSwapOf(90, 100, 10, 20)};
}

absl::StatusOr<WriteCertificate> ReadCertificate(const nlohmann::json& json) {
  // Through text, as a file has it.
  const nlohmann::json parsed = ParseJson(json.dump()).value();
  return ReadWriteCertificate(JsonObject::Of(parsed, "f.json").value());
}

TEST(WriteCertificateTest, IsReadAsItWasWritten) {
  WriteCertificate certificate = Certificate();
  EXPECT_THAT(ReadCertificate(WriteCertificateToJson(certificate)),
              IsOkAndHolds(certificate));
  certificate.measured_swap->people.reset();
  EXPECT_THAT(ReadCertificate(WriteCertificateToJson(certificate)),
              IsOkAndHolds(certificate));
  EXPECT_FALSE(
      WriteCertificateToJson(certificate)["measured_swap"].contains("people"));
  certificate.measured_swap.reset();
  EXPECT_THAT(ReadCertificate(WriteCertificateToJson(certificate)),
              IsOkAndHolds(certificate));
}

TEST(WriteCertificateTest, PredictsTheAlphaThatWritesAll) {
  WriteCertificate certificate = Certificate();
  EXPECT_DOUBLE_EQ(certificate.predicted_alpha().value(), 1.25);
  certificate.written_share = -0.5;
  EXPECT_DOUBLE_EQ(certificate.predicted_alpha().value(), -2);
  certificate.written_share = 0;
  EXPECT_EQ(certificate.predicted_alpha(), std::nullopt);
  EXPECT_TRUE(WriteCertificateToJson(certificate)["predicted_alpha"].is_null());
  EXPECT_THAT(ReadCertificate(WriteCertificateToJson(certificate)),
              IsOkAndHolds(certificate));
}

TEST(WriteCertificateTest, WilsonIntervalsAreThoseOfTheTextbook) {
  const Interval half = WilsonInterval(5, 10);
  EXPECT_NEAR(half.low, 0.2366, 1e-4);
  EXPECT_NEAR(half.high, 0.7634, 1e-4);
  EXPECT_EQ(WilsonInterval(0, 20).low, 0);
  EXPECT_NEAR(WilsonInterval(0, 20).high, 0.1611, 1e-4);
  EXPECT_NEAR(WilsonInterval(20, 20).high, 1, 1e-12);
}

TEST(WriteCertificateTest, AnEditedFigureIsRefused) {
  const auto refused = [](const char* pointer, const nlohmann::json& value,
                          const std::string& words) {
    nlohmann::json json = WriteCertificateToJson(Certificate());
    json[Pointer(pointer)] = value;
    EXPECT_THAT(ReadCertificate(json),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         ::testing::HasSubstr(words)))
        << pointer;
  };
  refused("/predicted_alpha", 1,
          "predicted_alpha: must be 1.25, which follows");
  refused("/predicted_alpha", nullptr, "predicted_alpha: must be a finite");
  refused("/written_share", 0.9, "predicted_alpha: must be 1.1");
  refused("/written_share", 0, "predicted_alpha: must be null where");
  refused("/measured_swap/low", 0.85, "low: must be 0.82");
  refused("/measured_swap/high", 0.99, "high: must be 0.94");
  refused("/measured_swap/n", 1000, "rate: must be 0.09");
  refused("/measured_swap/successes", 99, "rate: must be 0.99");
  refused("/measured_swap/successes", 101,
          "successes: must be in [0, 100], of n, got 101");
  refused("/measured_swap/rate", 0.99, "rate: must be 0.9, which follows");
  refused("/measured_swap/n", 0, "n: must be in [1, 2^53], got 0");
  refused("/measured_swap/wordings", 0, "wordings: must be an integer in [1");
  refused("/measured_swap/people", 0, "people: must be an integer in [1");
  refused("/cosine", 1.5, "cosine: must be in [-1, 1], got 1.5");
  refused("/certified", true, "certified");
}

}  // namespace
}  // namespace alignsae
