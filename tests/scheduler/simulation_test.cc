// A thousand random lives of a scheduler (see simulation.h).
//
//   scheduler_simulation_test               seeds 1 to 1000
//   scheduler_simulation_test --seed N      this one only
//   scheduler_simulation_test --seeds N     seeds 1 to N
//
// A failure prints the seed.

#include "tests/scheduler/simulation.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/numbers.h"

namespace alignsae {
namespace {

uint64_t first_seed = 1;
uint64_t last_seed = 1000;
char running_text[64] = "";  // For the handler, which may not format.

// A seed that hangs, because the scheduler sleeps though there is work, or that
// breaks a check of a debug build.
void TellTheSeed(int signal) {
  const std::string why = signal == SIGALRM ? " hangs\n" : " aborts\n";
  (void)!write(STDERR_FILENO, running_text,
               std::char_traits<char>::length(running_text));
  (void)!write(STDERR_FILENO, why.data(), why.size());
  _exit(1);
}

TEST(SimulationTest, InvariantsHoldAndEverythingEnds) {
  signal(SIGALRM, &TellTheSeed);
  signal(SIGABRT, &TellTheSeed);
  for (uint64_t seed = first_seed; seed <= last_seed; ++seed) {
    std::snprintf(running_text, sizeof(running_text), "seed %llu",
                  static_cast<unsigned long long>(seed));
    alarm(20);  // A life takes milliseconds.
    const std::string broken = Simulation(seed).Run();
    alarm(0);
    ASSERT_EQ(broken, "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace alignsae

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    uint64_t value = 0;
    if (!absl::SimpleAtoi(argv[i + 1], &value) || value == 0 ||
        (flag != "--seed" && flag != "--seeds")) {
      std::fprintf(stderr, "usage: %s [--seed N | --seeds N], N > 0\n",
                   argv[0]);
      return 2;
    }
    alignsae::last_seed = value;
    if (flag == "--seed") alignsae::first_seed = value;
  }
  return RUN_ALL_TESTS();
}
