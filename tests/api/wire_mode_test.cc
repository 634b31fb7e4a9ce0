#include "server/api/wire_mode.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"

namespace alignsae {
namespace {

TEST(WireModeTest, EveryModeOfTheWireIsOneOfTheModelAndTheOtherWayRound) {
  const google::protobuf::EnumDescriptor& wire =
      *v1::InterventionMode_descriptor();
  std::set<InterventionMode> met;
  for (int i = 0; i < wire.value_count(); ++i) {
    const auto number =
        static_cast<v1::InterventionMode>(wire.value(i)->number());
    const std::optional<InterventionMode> mode = FromWire(number);
    if (number == v1::INTERVENTION_MODE_UNSPECIFIED) {
      EXPECT_FALSE(mode.has_value());
      continue;
    }
    ASSERT_TRUE(mode.has_value()) << wire.value(i)->name();
    EXPECT_EQ(wire.value(i)->name(),
              absl::StrCat("INTERVENTION_MODE_", InterventionModeName(*mode)));
    EXPECT_EQ(ToWire(*mode), number);
    EXPECT_TRUE(met.insert(*mode).second) << wire.value(i)->name();
  }
  EXPECT_EQ(met, std::set<InterventionMode>(kInterventionModes.begin(),
                                            kInterventionModes.end()));
}

TEST(WireModeTest, EveryKindOfHookPointHasItsNameOnTheWire) {
  const google::protobuf::EnumDescriptor& wire = *v1::HookKind_descriptor();
  std::set<std::string> met;
  for (HookKind kind : kHookKinds) {
    const std::string name = v1::HookKind_Name(ToWire(kind));
    EXPECT_EQ(absl::AsciiStrToLower(name),
              absl::StrCat("hook_kind_", HookKindName(kind)));
    EXPECT_TRUE(met.insert(name).second) << name;
  }
  EXPECT_EQ(met.size() + 1, static_cast<size_t>(wire.value_count()));
}

TEST(WireModeTest, ANumberOfNoModeIsNone) {
  EXPECT_FALSE(FromWire(static_cast<v1::InterventionMode>(99)).has_value());
  EXPECT_FALSE(FromWire(static_cast<v1::InterventionMode>(-1)).has_value());
}

}  // namespace
}  // namespace alignsae
