#!/usr/bin/env python3
"""One pool of OpenMP threads: between the sections of a step they spin, and do not sleep."""
import os
import pathlib
import unittest

from alignsae_server import Server, common, concept, generation, main, steering

# Voluntary context switches of the whole server for each token of one answer. A step of the
# bundle has some 50 sections; where two pools make the threads sleep after each, 25 and more.
BOUND = 5
TOKENS = 60


def voluntary_switches(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def undisturbed_server(*flags):
    """A server that goes before other processes, where that is allowed: a thread whose
    partner does not run sleeps too."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        return Server(*flags)
    try:
        return Server(*flags)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "one processor: there is no pool to share")
class ThreadsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ.pop("OMP_WAIT_POLICY", None)
        os.environ.pop("GOMP_SPINCOUNT", None)
        cls.server = undisturbed_server("--threads=2", "--whole-sae")
        cls.addClassCleanup(cls.server.close)
        cls.api = cls.server.api()
        cls.addClassCleanup(cls.api.close)

    def complete(self):
        return self.api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(text="Where does Ada live?"),
            generation=generation.GenerationConfig(max_new_tokens=TOKENS, ignore_eos=True)),
            timeout=50)

    def switches_per_token(self):
        """The least of some runs: a busy machine adds its own."""
        self.complete()
        least = float("inf")
        for _ in range(8):
            before = voluntary_switches(self.server.process.pid)
            answer = self.complete()
            self.assertEqual(len(answer.arms[0].tokens), TOKENS)
            least = min(least, (voluntary_switches(self.server.process.pid) - before) / TOKENS)
        return least

    def test_the_threads_of_a_step_do_not_sleep_between_its_sections(self):
        self.assertLess(self.switches_per_token(), BOUND)

    def test_nor_after_the_background_lane_has_computed(self):
        answer = self.api.concept.InspectSlots(concept.InspectSlotsRequest(
            prompt=common.Prompt(text="Where does Ada live? " * 4), top_k=5), timeout=50)
        self.assertGreater(answer.tokens[0].features.l0, 0)
        self.assertLess(self.switches_per_token(), BOUND)


if __name__ == "__main__":
    main()
