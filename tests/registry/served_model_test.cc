// One served model: who gets a lease of it, and how it goes while it loads.

#include "server/registry/served_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/synchronization/notification.h"
#include "model/base/status_payload.h"
#include "tests/support/fake_step_executor.h"
#include "tests/support/small_catalog.h"
#include "tests/support/status_matchers.h"

namespace alignsae {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ServedModelTest : public ::testing::Test {
 protected:
  std::shared_ptr<ServedModel> Start() {
    return ServedModel::Start("m", 7,
                              [this]() -> absl::StatusOr<LoadedModel> {
                                loading_.Notify();
                                go_.WaitForNotification();
                                return LoadedModel{
                                    SmallCatalog(), SmallTokenizer(),
                                    std::make_shared<FakeStepExecutor>(4),
                                    absl::Seconds(3), absl::Seconds(2)};
                              },
                              {SchedulerOptions(), &clock_, &metrics_});
  }

  absl::Notification loading_, go_;
  RealClock clock_;
  Metrics metrics_{{}, "test"};
};

TEST_F(ServedModelTest, GivesALeaseOnlyWhileReady) {
  const std::shared_ptr<ServedModel> model = Start();
  EXPECT_EQ(ServedModel::Lease(model), nullptr);  // It loads.
  go_.Notify();
  ASSERT_OK(model->WaitUntilLoaded());
  ModelLease lease = ServedModel::Lease(model);
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->catalog().generation, 7u);
  EXPECT_THAT(metrics_.ExpositionText(),
              AllOf(HasSubstr("\nalignsae_model_load_seconds 3\n"),
                    HasSubstr("\nalignsae_model_warm_up_seconds 2\n")));
  model->Drain();
  EXPECT_EQ(ServedModel::Lease(model), nullptr);
  EXPECT_EQ(model->state(), ModelState::kDraining);
  lease.reset();
  model->Join();
  EXPECT_EQ(model->state(), ModelState::kGone);
  EXPECT_EQ(ServedModel::Lease(model), nullptr);
}

TEST_F(ServedModelTest, OneThatIsEndedWhileItLoadsIsNeverReady) {
  const std::shared_ptr<ServedModel> model = Start();
  loading_.WaitForNotification();
  model->EndAll();
  go_.Notify();
  EXPECT_EQ(ReasonOf(model->WaitUntilLoaded()), kReasonDraining);
  EXPECT_EQ(ServedModel::Lease(model), nullptr);
  model->Join();
}

}  // namespace
}  // namespace alignsae
