#include "client/load/health_probe.h"

#include <chrono>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace alignsae {
namespace {

using grpc::health::v1::HealthCheckResponse;

std::string Answer(const grpc::Status& status,
                   const HealthCheckResponse& response) {
  if (!status.ok()) {
    return absl::StatusCodeToString(
        static_cast<absl::StatusCode>(status.error_code()));
  }
  switch (response.status()) {
    case HealthCheckResponse::SERVING:
      return "SERVING";
    case HealthCheckResponse::NOT_SERVING:
      return "NOT_SERVING";
    default:
      return "UNKNOWN_STATUS";
  }
}

}  // namespace

std::vector<HealthSample> ProbeHealth(
    const std::shared_ptr<grpc::Channel>& channel, absl::Duration every,
    LoadClock::time_point begin, LoadClock::time_point end) {
  std::vector<HealthSample> samples;
  if (every <= absl::ZeroDuration()) return samples;
  const auto stub = grpc::health::v1::Health::NewStub(channel);
  LoadClock::time_point due = begin;
  while (due < end) {
    std::this_thread::sleep_until(due);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(5));
    HealthCheckResponse response;
    const grpc::Status status = stub->Check(&context, {}, &response);
    samples.push_back(
        {Seconds(LoadClock::now() - due), Answer(status, response)});
    due += std::chrono::duration_cast<LoadClock::duration>(
        absl::ToChronoNanoseconds(every));
  }
  return samples;
}

}  // namespace alignsae
