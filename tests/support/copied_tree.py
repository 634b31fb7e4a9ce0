"""A copy of the tree to put faults into, and its build.

The copy is kept between runs, so that only what differs is built again. Built with the
preset `mutation`: without optimisation, and with the checks of debug builds.
"""
import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPIED = ("CMakeLists.txt", "CMakePresets.json", "client", "deploy", "model", "proto", "server",
          "tests")


class CopiedTree:
    def __init__(self, work, *options, jobs=None):
        """`work`: the folder; `options`: more arguments for cmake."""
        self.tree, self.folder = work / "tree", work / "build"
        self.jobs = jobs or os.cpu_count()
        self.restore()
        subprocess.run(["cmake", "--preset", "mutation", "-B", str(self.folder), *options],
                       cwd=self.tree, check=True, stdout=subprocess.DEVNULL)

    def restore(self):
        """Brings the copy up to date with the tree; untouched files keep their times."""
        wanted = {}
        for name in COPIED:
            source = ROOT / name
            for path in [source] if source.is_file() else source.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    wanted[path.relative_to(ROOT)] = path
        for path in list(self.tree.rglob("*")):
            if path.is_file() and path.relative_to(self.tree) not in wanted:
                path.unlink()
        for relative, path in wanted.items():
            copy = self.tree / relative
            if copy.exists() and copy.read_bytes() == path.read_bytes():
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            shutil.copymode(path, copy)

    def targets(self):
        """What `build` can make, as ninja lists it."""
        return subprocess.run(["ninja", "-C", str(self.folder), "-t", "targets", "all"],
                              capture_output=True, text=True, check=True).stdout

    def build(self, *targets):
        """The finished ninja: `returncode`, and `stdout` with the compiler's words."""
        return subprocess.run(["ninja", "-C", str(self.folder), f"-j{self.jobs}", *targets],
                              capture_output=True, text=True, check=False)

    def program(self, name):
        return self.folder / "bin" / name
