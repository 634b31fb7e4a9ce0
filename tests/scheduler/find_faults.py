#!/usr/bin/env python3
"""Shows that the simulation finds the faults that are kept as patches.

    find_faults.py --source ROOT [--cxx c++] [--seeds 1000] [NAME ...]

For each tests/scheduler/faults/NAME.patch: copies the sources that the simulation is
made of, applies the patch, builds the simulation alone and runs it. Prints the first
seed that finds the fault. First of all the simulation without a fault must pass.
Exit 1 if a fault is not found, a patch does not apply or something does not build.

Needs patch, pkg-config and the libraries that the tests need.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TEST = ["tests/scheduler/simulation.cc", "tests/scheduler/simulation_checks.cc",
        "tests/scheduler/simulation_test.cc"]
FOLDERS = ["model/base", "model/steering", "model/scheduler", "tests/support",
           "tests/scheduler"]
HEADERS = ["model/engine/step.h", "model/engine/step_executor.h", "model/sampling/params.h"]
PACKAGES = ["absl_status", "absl_statusor", "absl_strings", "absl_time", "absl_cord",
            "absl_synchronization", "absl_span", "gtest"]


def pkg_config(flag):
    return subprocess.run(["pkg-config", flag, *PACKAGES], check=True, capture_output=True,
                          text=True).stdout.split()


class Builder:
    """Builds the simulation in one folder and keeps the objects of the last build."""

    def __init__(self, source, cxx, work):
        self.source, self.cxx, self.work = source, cxx, work
        self.tree = work / "tree"
        self.plain = {}  # Object of each source as it is, by path.

    def sources(self):
        """The simulation, the scheduler, and the sources of all headers that they include."""
        found, seen = [], set()
        todo = [*TEST, *(str(p.relative_to(self.tree)) for p in
                         sorted((self.tree / "model/scheduler").glob("*.cc")))]
        while todo:
            path = todo.pop(0)
            if path in seen or not (self.tree / path).exists():
                continue
            seen.add(path)
            if path.endswith(".cc"):
                found.append(path)
            for header in re.findall(r'^#include "(.*)"', (self.tree / path).read_text(), re.M):
                todo += [header, header.removesuffix(".h") + ".cc"]
        return found

    def copy(self):
        shutil.rmtree(self.tree, ignore_errors=True)
        for folder in FOLDERS:
            (self.tree / folder).mkdir(parents=True)
            for file in (self.source / folder).iterdir():
                if file.suffix in (".h", ".cc"):
                    shutil.copy2(file, self.tree / folder)
        for header in HEADERS:
            (self.tree / header).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.source / header, self.tree / header)

    def apply(self, patch):
        done = subprocess.run(["patch", "-p1", "--no-backup-if-mismatch", "-i", str(patch)],
                              cwd=self.tree, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"does not apply:\n{done.stdout}{done.stderr}")
        return re.findall(r"^patching file (\S+)", done.stdout, re.M)

    def build(self, name, changed):
        """`changed`: paths that the patch touched; None: builds everything, unpatched."""
        out = self.work / name
        out.mkdir()
        all_of_them = changed is None or any(path.endswith(".h") for path in changed)
        objects, running = [], []
        for path in self.sources():
            if not all_of_them and path not in changed:
                objects.append(self.plain[path])
                continue
            made = out / (path.replace("/", "_") + ".o")
            objects.append(made)
            if changed is None:
                self.plain[path] = made
            running.append((path, subprocess.Popen(
                [*self.cxx, "-std=c++20", "-O1", "-pthread", "-I", str(self.tree),
                 *pkg_config("--cflags"), "-c", str(self.tree / path), "-o", str(made)],
                stderr=subprocess.PIPE, text=True)))
            if len(running) == (os.cpu_count() or 1):
                self.finish(*running.pop(0))
        for path, process in running:
            self.finish(path, process)
        program = out / "simulation"
        subprocess.run([*self.cxx, "-pthread", *map(str, objects), "-o", str(program),
                        *pkg_config("--libs")], check=True)
        return program

    @staticmethod
    def finish(path, process):
        error = process.communicate()[1]
        if process.returncode != 0:
            raise RuntimeError(f"{path} does not build:\n{error}")


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
    parser.add_argument("--source", type=pathlib.Path, required=True)
    parser.add_argument("--cxx", default="c++", help="may be several words (ccache c++)")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    patches = sorted((args.source / "tests/scheduler/faults").glob("*.patch"))
    if args.names:
        patches = [p for p in patches if p.stem in args.names]
    if not patches:
        sys.exit("find_faults: no patch of that name")
    missed = 0
    with tempfile.TemporaryDirectory() as work:
        builder = Builder(args.source, args.cxx.split(), pathlib.Path(work))
        builder.copy()
        found = run(builder.build("plain", None), args.seeds)
        if found:
            sys.exit(f"find_faults: fails without a fault: seed {found[0]}: {found[1]}")
        print(f"{'(no fault)':28} passes {args.seeds} seeds", flush=True)
        for patch in patches:
            try:
                builder.copy()
                changed = builder.apply(patch.resolve())
                found = run(builder.build(patch.stem, changed), args.seeds)
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
