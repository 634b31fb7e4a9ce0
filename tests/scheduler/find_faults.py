#!/usr/bin/env python3
"""Shows that the simulation finds the faults that are kept as patches.

    find_faults.py [--seeds N] [--work DIR] [--dry-run] [NAME ...]

For each tests/scheduler/faults/NAME.patch: applies it to a copy of the tree in DIR
(build/faults), builds the simulation and runs it. Prints the first seed that finds the
fault. First of all the simulation without a fault must pass. Exit 1 if a fault is not
found, a patch does not apply or something does not build. --dry-run: only whether the
patches apply to the tree as it is.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
import copied_tree  # noqa: E402

SIMULATION = "scheduler_simulation_test"


class Patched(copied_tree.CopiedTree):
    """The tree with one fault at a time, and its simulation."""

    def __init__(self, work):
        super().__init__(work, "-DALIGNSAE_TORCH=OFF", "-DALIGNSAE_GRPC=OFF")

    def apply(self, patch):
        self.restore()
        if said := patched(self.tree, patch):
            raise RuntimeError(said)

    def simulation(self):
        done = self.build(SIMULATION)
        if done.returncode != 0:
            raise RuntimeError(f"does not build:\n{done.stdout}")
        return self.program(SIMULATION)


def patched(tree, patch, *options):
    """What `patch` says when it does not apply to `tree`; "" when it does."""
    done = subprocess.run(["patch", "-p1", "--no-backup-if-mismatch", *options, "-i", str(patch)],
                          cwd=tree, capture_output=True, text=True, check=False)
    return f"does not apply:\n{done.stdout}{done.stderr}" if done.returncode else ""


def run(program, seeds):
    """The first seed that fails and what it says; None: all pass."""
    done = subprocess.run([str(program), "--seeds", str(seeds)], capture_output=True,
                          text=True, timeout=600)
    if done.returncode == 0:
        return None
    said = done.stdout + done.stderr
    seed = re.search(r"^seed (\d+)", said, re.M)
    if not seed:
        raise RuntimeError(f"fails without a seed:\n{said}")
    why = re.search(r'Which is: "(.*)"|^seed \d+ (hangs|aborts)', said, re.M)
    return seed.group(1), (why.group(1) or why.group(2)) if why else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/faults")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    patches = sorted((ROOT / "tests/scheduler/faults").glob("*.patch"))
    if args.names:
        patches = [p for p in patches if p.stem in args.names]
    if not patches:
        sys.exit("find_faults: no patch of that name")
    if args.dry_run:
        broken = {p.stem: said for p in patches if (said := patched(ROOT, p, "--dry-run"))}
        for name, said in broken.items():
            print(f"{name} {said}")
        print(f"{len(patches) - len(broken)} of {len(patches)} patches apply")
        return 1 if broken else 0
    missed = 0
    tree = Patched(args.work.resolve())
    found = run(tree.simulation(), args.seeds)
    if found:
        sys.exit(f"find_faults: fails without a fault: seed {found[0]}: {found[1]}")
    print(f"{'(no fault)':28} passes {args.seeds} seeds", flush=True)
    for patch in patches:
        try:
            tree.apply(patch)
            found = run(tree.simulation(), args.seeds)
        except (RuntimeError, subprocess.SubprocessError) as error:
            print(f"{patch.stem:28} ERROR {error}", flush=True)
            missed += 1
            continue
        if found is None:
            print(f"{patch.stem:28} NOT FOUND in {args.seeds} seeds", flush=True)
            missed += 1
        else:
            print(f"{patch.stem:28} seed {found[0]}: {found[1]}", flush=True)
    print(f"{len(patches) - missed} of {len(patches)} faults found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
