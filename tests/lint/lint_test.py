#!/usr/bin/env python3
"""The lint itself: deliberately broken code must be found, and a note of a file that
passed must not outlive what it depends on."""
import json
import pathlib
import shutil
import tempfile
import unittest

import lint

ROOT = pathlib.Path(__file__).resolve().parents[2]

COUNTER = """
#include "model/base/mutex.h"
#include "absl/base/thread_annotations.h"
class Counter {
 public:
  void Add() ABSL_LOCKS_EXCLUDED(mutex_) {
    %s
    ++count_;
  }
 private:
  alignsae::Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};
void F() { Counter().Add(); }
"""


class FindingsTest(unittest.TestCase):
    """One snippet for what each kind of check is there to find."""

    def findings(self, text, slow=False):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "snippet.cc"
            shutil.copy(ROOT / ".clang-tidy", folder)
            path.write_text(text)
            arguments = ["-std=c++20", f"-I{ROOT}"]
            return lint.findings_of(path, arguments, slow=slow)

    def test_finds_a_guarded_member_that_is_written_without_its_mutex(self):
        self.assertEqual(self.findings(COUNTER % "alignsae::MutexLock lock(&mutex_);"), "")
        self.assertIn("writing variable 'count_' requires holding mutex 'mutex_'",
                      self.findings(COUNTER % ""))

    def test_finds_a_function_that_locks_what_its_caller_holds(self):
        text = COUNTER % "alignsae::MutexLock lock(&mutex_); Add();"
        self.assertIn("cannot call function 'Add' while mutex 'mutex_' is held",
                      self.findings(text))

    def test_finds_use_after_move(self):
        text = ("#include <string>\n#include <utility>\nvoid G(std::string);\n"
                "void F(std::string a) {\n  G(std::move(a));\n  %s\n}\n")
        self.assertEqual(self.findings(text % ""), "")
        self.assertIn("bugprone-use-after-move", self.findings(text % "G(a + a);"))

    def test_slow_checks_are_for_those_who_ask(self):
        copied = ("#include <string>\n"
                  "int F(std::string a) { return static_cast<int>(a.size()); }\n")
        self.assertEqual(self.findings(copied), "")
        self.assertIn("performance-unnecessary-value-param", self.findings(copied, slow=True))

    def test_finds_long_and_deep_functions(self):
        self.assertEqual(self.findings("int F(int a) {\n" + "  ++a;\n" * 58 + "  return a;\n}\n"), "")
        self.assertIn("readability-function-size",
                      self.findings("int F(int a) {\n" + "  ++a;\n" * 61 + "  return a;\n}\n"))
        deep = "int F(int a) {\n" + "if (a) {\n" * 6 + "++a;\n" + "}\n" * 6 + "return a;\n}\n"
        self.assertIn("nesting level", self.findings(deep))

    def test_finds_what_does_not_compile(self):
        self.assertIn("clang-diagnostic-error", self.findings("int F() { return x; }\n"))


class NotesTest(unittest.TestCase):
    """A tree of one source and one header, checked again and again."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name).resolve()
        self.build = self.root / "build"
        for name in ("model", "server", "client", "build"):
            (self.root / name).mkdir()
        shutil.copy(ROOT / ".clang-tidy", self.root)
        self.source, self.header = self.root / "model/a.cc", self.root / "model/a.h"
        self.header.write_text("inline int G() { return 1; }\n")
        self.source.write_text('#include "model/a.h"\nint F() { return G(); }\n')
        self.compiles(self.source)

    def compiles(self, *paths, flags=""):
        (self.build / "compile_commands.json").write_text(json.dumps(
            [{"file": str(path), "directory": str(self.build),
              "command": f"/usr/bin/cmake -E env A=b /usr/bin/ccache /usr/bin/c++ -I{self.root} "
                         f"-std=c++20 {flags} -o a.o -c {path}"} for path in paths]))

    def checked(self):
        for cached in (lint.includes_of, lint.digest_of):
            cached.cache_clear()
        bad, total, unchanged = lint.run(self.root, self.build, jobs=1)
        return bad, total - unchanged

    def test_checks_again_only_when_something_changed(self):
        self.assertEqual(self.checked(), ([], 1))
        self.assertEqual(self.checked(), ([], 0))
        self.header.write_text("inline int G() { return 2; }\n")
        self.assertEqual(self.checked(), ([], 1))
        self.compiles(self.source, flags="-DX")
        self.assertEqual(self.checked(), ([], 1))
        with open(self.root / ".clang-tidy", "a", encoding="utf-8") as config:
            config.write("# Another one.\n")
        self.assertEqual(self.checked(), ([], 1))
        self.assertEqual(self.checked(), ([], 0))

    def test_a_file_with_findings_is_found_every_time(self):
        self.source.write_text('#include "model/a.h"\nint F() { return H(); }\n')
        for _ in range(2):
            bad, checked = self.checked()
            self.assertEqual((len(bad), checked), (1, 1))
            self.assertIn("clang-diagnostic-error", bad[0])

    def test_a_finding_in_a_header_is_found(self):
        self.header.write_text("struct A { A(int); };\n")
        self.source.write_text('#include "model/a.h"\n')
        self.assertIn("google-explicit-constructor", self.checked()[0][0])

    def test_a_source_that_nothing_compiles_is_told(self):
        (self.root / "server/b.cc").write_text("int a;\n")
        self.assertEqual(self.checked()[0], [f"{self.root}/server/b.cc: no target compiles it"])

    def test_a_test_that_nothing_compiles_is_told(self):
        test = self.root / "tests/base/a_test.cc"
        test.parent.mkdir(parents=True)
        test.write_text("int a;\n")
        self.assertEqual(self.checked()[0], [f"{test}: no target compiles it"])
        self.compiles(self.source, test)
        self.assertEqual(self.checked()[0], [])

    def test_sources_of_a_unity_source_are_checked(self):
        other, unity = self.root / "model/b.cc", self.build / "Unity/unity_0_cxx.cxx"
        other.write_text('#include "model/b.h"\nint E() { return G(); }\n')
        (self.root / "model/b.h").write_text("// Declares nothing.\n")
        unity.parent.mkdir()
        unity.write_text(f'#include "{self.source}"\n#include "{other}"\n')
        self.compiles(unity)
        self.assertEqual(self.checked(), ([], 2))
        self.assertEqual(self.checked(), ([], 0))
        for left in (2, 1):  # By itself, b.cc lacks an include.
            bad, total, unchanged = lint.run(self.root, self.build, each=True)
            self.assertEqual((len(bad), total - unchanged), (1, left))
            self.assertIn("b.cc", bad[0])

    def test_leaves_out_what_sees_libtorch_unless_asked(self):
        self.header.write_text("#include <ATen/ATen.h>\n")
        self.assertEqual(self.checked(), ([], 0))


if __name__ == "__main__":
    unittest.main()
