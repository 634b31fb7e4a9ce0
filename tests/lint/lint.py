#!/usr/bin/env python3
"""Runs clang-tidy with the .clang-tidy files of the repository, and Clang's thread-safety
analysis with it, over the product's sources.

    lint.py BUILD [--all] [--each] [--jobs N] [FILE...]

Takes the commands from BUILD/compile_commands.json. Without --all, files that see
LibTorch's headers are left out: each takes half a minute. The sources of a target that
a unity build compiles with the same command are read as one: most of the time goes to the
headers that they share. With --each each by itself, which finds a missing include too, and
by SLOW_CHECKS, which take half of clang-tidy's time in those headers.
FILE...: only these.

A file that passed is not checked again until something that its answer depends on
changes: itself, a header of ours that it includes, its command, a .clang-tidy, or a
package of the system. BUILD/lint holds one note a file. A file that failed has none.

Exit 1: a finding, or a source, or a test's, that no command compiles.
"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

CLANG_TIDY = "clang-tidy-14"
# The analysis of ABSL_GUARDED_BY and its kin is a warning of the compiler, which
# clang-tidy reports as a check of its own.
WARNINGS = ["-Wno-everything", "-Wthread-safety", "-Wthread-safety-beta"]
CHECKS = "clang-diagnostic-thread-safety*"
SLOW_CHECKS = ("bugprone-infinite-loop", "misc-unused-using-decls",
               "performance-unnecessary-value-param")
FOLDERS = ("model", "server", "client")
TORCH = ("torch/", "ATen/", "c10/", "dnnl")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(?:"([^"]+)"|<([^>]+)>)', re.M)


def arguments_of(entry):
    """The command of `entry` as Clang takes it: without GCC's precompiled header."""
    words = entry.get("arguments") or shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words)
                    if re.search(r'(\+\+|cc|clang)(-\d+)?$', os.path.basename(word))
                    and not word.endswith("ccache"))
    words, kept = words[compiler + 1:], []
    while words:
        word = words.pop(0)
        if word in ("-o", "-MT", "-MF"):
            words.pop(0)
        elif word == "-include" and "cmake_pch" in words[0]:
            words.pop(0)
        elif word not in ("-c", "-MD", "-fpch-preprocess", "-Winvalid-pch", entry["file"]):
            kept.append(word)
    return kept


def sources_of(entry):
    """What `entry` compiles: CMake's unity sources are lists of includes."""
    path = pathlib.Path(entry["file"])
    if path.name.startswith("unity_") and path.parent.name == "Unity":
        return [name for name in includes_of(path) if name.endswith(".cc")]
    return [entry["file"]]


def unit_of(entry, arguments):
    """Equal for sources that can be read as one: those of the unity sources of a target."""
    path = pathlib.Path(entry["file"])
    return entry["file"] if sources_of(entry) == [entry["file"]] else (path.parent, *arguments)


def search_paths(arguments):
    """Where `arguments` look for headers."""
    paths = []
    for i, word in enumerate(arguments):
        if word in ("-I", "-isystem"):
            paths.append(arguments[i + 1])
        elif word.startswith("-I"):
            paths.append(word[2:])
    return paths


@functools.lru_cache(maxsize=None)
def includes_of(path):
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    return [quoted or angled for quoted, angled in INCLUDE.findall(text)]


@functools.lru_cache(maxsize=None)
def digest_of(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


@functools.lru_cache(maxsize=None)
def packages():
    """The system's packages with their versions: what other headers come from."""
    listed = subprocess.run(["dpkg-query", "-W"], capture_output=True, text=True, check=True)
    return hashlib.sha256(listed.stdout.encode()).hexdigest()


class Source:
    """A source file with its command and all that it includes from `homes`."""

    def __init__(self, path, arguments, unit, homes):
        self.path = path
        self.arguments = arguments
        self.unit = unit  # Sources of one unit can be read as one.
        self.torch = False
        self.headers = set()
        paths = [p for p in search_paths(arguments)
                 if any(pathlib.Path(p).is_relative_to(home) for home in homes)]
        left = [str(path)]
        while left:
            for name in includes_of(left.pop()):
                self.torch = self.torch or name.startswith(TORCH)
                found = next((file for p in paths if os.path.isfile(file := f"{p}/{name}")), None)
                if found and found not in self.headers:
                    self.headers.add(found)
                    left.append(found)

    def configs(self):
        """The files that say what is looked for in it."""
        files = [folder / ".clang-tidy" for folder in self.path.parents]
        return [file for file in files if file.exists()]

    def key(self):
        """Changes whenever the answer may."""
        configs = map(digest_of, self.configs())
        parts = [digest_of(__file__), *configs, packages(), *self.arguments, digest_of(self.path)]
        parts += [f"{header} {digest_of(header)}" for header in sorted(self.headers)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def findings_of(path, arguments, *options, slow=False):
    """clang-tidy's findings as text; empty when there are none."""
    checks = ",".join([CHECKS, *(f"-{name}" for name in SLOW_CHECKS if not slow)])
    done = subprocess.run(
        [CLANG_TIDY, "--quiet", f"--checks={checks}", *options, str(path), "--", *arguments,
         *WARNINGS], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return ""
    return done.stdout + "\n".join(
        line for line in done.stderr.splitlines() if not line.endswith(" generated."))


def sources(root, build):
    """(sources by path, sentences about those that cannot be checked)."""
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        commands = {}
        for entry in json.load(file):
            arguments = arguments_of(entry)
            unit = unit_of(entry, arguments)
            commands.update({source: (arguments, unit) for source in sources_of(entry)})
    found, bad = {}, []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.cc")):
            if str(path) in commands:
                found[path] = Source(path, *commands[str(path)], (root, build))
            else:
                bad.append(f"{path}: no target compiles it")
    bad += [f"{path}: no target compiles it" for path in sorted((root / "tests").rglob("*_test.cc"))
            if str(path) not in commands]
    return found, bad


def run(root, build, with_torch=False, jobs=None, only=(), each=False):
    """Checks what needs it; returns the findings and what was done."""
    known, bad = sources(root, build)
    chosen = [s for p, s in known.items() if (with_torch or not s.torch) and
              (not only or p in only)]
    notes = build / "lint"
    notes.mkdir(exist_ok=True)

    def note_of(source):
        return notes / str(source.path.relative_to(root)).replace("/", "+")

    by_itself = "\nby itself"  # Passed so, by all checks, which is more than beside others.

    def passed(source):
        note = note_of(source)
        found = note.read_text() if note.exists() else ""
        return found in ([] if each else [source.key()]) + [source.key() + by_itself]

    def check(group):
        for source in group:
            note_of(source).unlink(missing_ok=True)
        if len(group) == 1:
            findings = findings_of(group[0].path, group[0].arguments, slow=each)
        else:
            with tempfile.NamedTemporaryFile("w", suffix=".cc") as unit:
                unit.writelines(f'#include "{source.path}"\n' for source in group)
                unit.flush()
                findings = findings_of(unit.name, group[0].arguments,
                                       f"--config-file={root}/.clang-tidy")
        if not findings:
            for source in group:
                note_of(source).write_text(source.key() + by_itself * each)
        return findings

    groups = collections.defaultdict(list)
    for source in chosen:
        if not passed(source):
            alone = each or source.configs() != [root / ".clang-tidy"]
            groups[source.path if alone else source.unit].append(source)
    left = sum(map(len, groups.values()))
    # The longest first, so that the cores end together.
    longest = sorted(groups.values(), key=lambda group: sum(len(s.headers) for s in group),
                     reverse=True)
    with concurrent.futures.ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
        bad += [findings for findings in pool.map(check, longest) if findings]
    return bad, len(chosen), len(chosen) - left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--jobs", type=int)
    parser.add_argument("only", nargs="*", type=pathlib.Path)
    flags = parser.parse_intermixed_args()
    root = pathlib.Path(__file__).resolve().parents[2]
    started = time.monotonic()
    bad, total, unchanged = run(root, flags.build.resolve(), flags.all, flags.jobs,
                                {path.resolve() for path in flags.only}, flags.each)
    print("\n".join(bad))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{total} files: {total - unchanged} checked in {time.monotonic() - started:.0f} s "
          f"({used.ru_utime + used.ru_stime:.0f} s of processor time), "
          f"{unchanged} unchanged since they passed, {len(bad)} with findings")
    if not total:
        sys.exit("lint: no sources")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
