#!/usr/bin/env python3
"""Puts one-line faults into core code and counts how many the tests find.

    mutate.py [--seed N] [--count N] [--minimum SHARE] [--files GLOB ...]
              [--operator NAME] [--work DIR]

Works on a copy of the tree in DIR (build/mutation), built without optimisation. The
seed draws `count` mutants that compile, from each group of GROUPS in turn. For each,
ctest's unit and golden tests that link the changed file are built and run, the smallest
first, until one fails: then it is killed. A test that takes longer than ten times its time
(at least 30 s), or dies, has failed.

Survivors are printed with their change. Those that EQUIVALENT knows to change nothing
that anybody can see are not counted. Exit 1: a smaller share than `minimum` is killed.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import time

import mutants

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import copied_tree  # noqa: E402
GROUPS = {
    "scheduler": ("model/scheduler/*.cc",),
    "fork plan": ("model/scheduler/fork*.cc", "model/engine/*fork*.cc"),
    "steering": ("model/steering/*.cc", "model/intervention/*.cc"),
    "sampler": ("model/sampling/*.cc",),
    "parse": ("server/api/parse*.cc", "server/api/*/parse*.cc"),
    "tokenizer": ("model/tokenizer/*.cc",),
    "metrics": ("server/metrics/metrics*.cc", "server/metrics/concept*.cc",
                "server/metrics/stored*.cc"),
}
NOTES = pathlib.Path(__file__).with_name("equivalent.json")


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def files(tree, patterns):
    """The files of `tree` that one of `patterns` names, in order."""
    paths = {path for pattern in patterns for path in tree.glob(pattern)}
    return sorted(path.relative_to(tree).as_posix() for path in paths)


class Workshop(copied_tree.CopiedTree):
    """The copy, its build, and its tests."""

    def __init__(self, work, jobs):
        super().__init__(work, jobs=jobs)
        sources = {name: self.sources(name) for name in self.test_programs()}
        # Those that link the least first: they are built the soonest and run the shortest.
        self.links = {name: sources[name] for name in sorted(sources, key=lambda n: len(sources[n]))}
        self.seconds = {}  # What a test takes without a fault.

    def test_programs(self):
        """Names of the programs that ctest runs as unit and golden tests."""
        asked = subprocess.run(["ctest", "--show-only=json-v1", "-L", "^(unit|golden)$"],
                               cwd=self.folder, capture_output=True, text=True, check=True)
        known = self.targets()
        names = [test["name"] for test in json.loads(asked.stdout)["tests"]]
        return [name for name in names if f"bin/{name}:" in known]

    def sources(self, name):
        """The files of the tree that the test program `name` is built from."""
        asked = subprocess.run(["ninja", "-C", str(self.folder), "-t", "inputs", f"bin/{name}"],
                               capture_output=True, text=True, check=True)
        paths = [self.folder / line for line in asked.stdout.splitlines()]
        return {path.relative_to(self.tree).as_posix() for path in paths
                if path.is_relative_to(self.tree)}

    def passes(self, name, timeout):
        """Whether a test program ends well in time. What it started ends with it."""
        with subprocess.Popen([self.program(name)], cwd=self.tree, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, start_new_session=True,
                              preexec_fn=limit_memory,
                              env={**os.environ, "GTEST_FAIL_FAST": "1"}) as process:
            try:
                return process.wait(timeout) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def measure(self, name):
        """Learns what a test takes without a fault, if that is not known."""
        if name in self.seconds:
            return
        if self.build(name).returncode != 0:
            sys.exit(f"mutate: {name} does not build")
        started = time.monotonic()
        if not self.passes(name, 600):
            sys.exit(f"mutate: {name} fails without any fault")
        self.seconds[name] = time.monotonic() - started

    def killer_of(self, mutant):
        """The test that finds `mutant`; "" when none does; None when it does not compile."""
        path = self.tree / mutant.path
        text = path.read_text()
        for name in self.links:
            if mutant.path not in self.links[name]:
                continue
            self.measure(name)
            try:
                path.write_text(mutant.apply(text))
                if self.build(name).returncode != 0:
                    return None
                if not self.passes(name, max(30, 10 * self.seconds[name])):
                    return name
            finally:
                path.write_text(text)
        return ""


def draw(tree, seed, groups, operator=None):
    """Mutants (of one operator) in the order of the seed, from each group in turn."""
    rng = random.Random(seed)
    queues = []
    for patterns in groups:
        found = [mutant for path in files(tree, patterns)
                 for mutant in mutants.mutants_of(path, (tree / path).read_text())
                 if operator in (None, mutant.operator)]
        rng.shuffle(found)
        if found:
            queues.append(found)
    seen = set()
    while any(queues):
        for queue in queues:
            while queue:
                mutant = queue.pop()
                if mutant not in seen:
                    seen.add(mutant)
                    yield mutant
                    break


def known_equivalents():
    """{(path, line as it is, line as it becomes): reason}."""
    return {(note["path"], note["is"], note["becomes"]): note["reason"]
            for note in json.loads(NOTES.read_text())}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--minimum", type=float, default=0.9)
    parser.add_argument("--files", nargs="+", metavar="GLOB", help="instead of the core's")
    parser.add_argument("--operator", help="of mutants.py; all when not given")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/mutation")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    flags = parser.parse_args()
    groups = [flags.files] if flags.files else list(GROUPS.values())
    shop = Workshop(flags.work.resolve(), flags.jobs)
    known = known_equivalents()
    killed, survivors, equivalent, broken = {}, [], [], 0
    for mutant in draw(shop.tree, flags.seed, groups, flags.operator):
        if len(killed) + len(survivors) >= flags.count:
            break
        text = (shop.tree / mutant.path).read_text()
        change = (mutant.path, *mutant.diff(text))
        if change in known:
            equivalent.append((change, known[change]))
            continue
        killer = shop.killer_of(mutant)
        if killer is None:
            broken += 1
            continue
        where = f"{mutant.path}:{mutant.line(text)} {mutant.operator}"
        if killer:
            killed[mutant] = killer
        else:
            survivors.append((where, change))
        print(f"{'killed by ' + killer if killer else 'SURVIVED'}: {where}: "
              f"{change[1]}  ->  {change[2]}", flush=True)
    total = len(killed) + len(survivors)
    print(f"\nseed {flags.seed}: {len(killed)} of {total} killed; {broken} did not compile; "
          f"{len(equivalent)} known to change nothing")
    for where, (_, old, new) in survivors:
        print(f"  survived {where}\n    - {old}\n    + {new}")
    for (path, old, new), reason in equivalent:
        print(f"  equivalent {path}: {reason}\n    - {old}\n    + {new}")
    if not total:
        sys.exit("mutate: no mutants")
    sys.exit(len(killed) < flags.minimum * total)


if __name__ == "__main__":
    main()
