#!/usr/bin/env python3
"""The faults themselves: each operator makes the change it says, where it may."""
import itertools
import pathlib
import tempfile
import unittest

import mutate
import mutants


def changes(text):
    """{operator: [line as it becomes]} of a function with `text` as its body."""
    whole = "void F() {\n  int a = b;\n" + text + "\n}\n"
    found = {}
    for mutant in mutants.mutants_of("x.cc", whole):
        found.setdefault(mutant.operator, []).append(mutant.diff(whole)[1])
    return found


class MutantsTest(unittest.TestCase):
    def test_each_operator(self):
        for operator, line, becomes in (
                ("boundary", "  x = a < b;", "x = a <= b;"),
                ("boundary", "  x = f(a) >= b;", "x = f(a) > b;"),
                ("equality", "  x = a == b;", "x = a != b;"),
                ("and/or", "  x = a && b;", "x = a || b;"),
                ("arithmetic", "  x = a - b;", "x = a + b;"),
                ("assignment", "  x += y;", "x -= y;"),
                ("step", "  ++x;", "--x;"),
                ("boolean", "  x = true;", "x = false;"),
                ("condition", "  if (f(a)) g();", "if (!(f(a))) g();"),
                ("constant", "  x = 7;", "x = 8;"),
                ("constant", "  x = 0;", "x = 1;"),
                ("return", "  return f(a);", "return {};"),
                ("deletion", "  f(a);", ";"),
                ("deletion", "  x->y = 3;", ";")):
            with self.subTest(line):
                self.assertIn(becomes, changes(line).get(operator, []))

    def test_constants_go_up_and_down_but_not_below_zero(self):
        self.assertEqual(changes("  f(3, 0);")["constant"], ["f(4, 0);", "f(2, 0);", "f(3, 1);"])

    def test_leaves_types_comments_strings_and_declarations_alone(self):
        for line in ("  std::vector<int> x;", "  // a < b && 1", '  f("a < b && 1", \'0\');',
                     "  auto&& x = y;", "#define X 3", "  int y = z;", "  break;", "  X(&&y);"):
            with self.subTest(line):
                found = changes(line)
                found.pop("deletion", None)
                self.assertEqual(found, {})
        self.assertNotIn("deletion", changes("  int y = z;"))

    def test_a_condition_that_declares_is_left(self):
        self.assertNotIn("condition", changes("  if (int x = f(); x) g();"))

    def test_a_fault_changes_only_its_place(self):
        text = "int F(int a) {\n  return a + 1;\n}\n"
        for mutant in mutants.mutants_of("x.cc", text):
            changed = mutant.apply(text)
            self.assertNotEqual(changed, text)
            self.assertEqual(changed[:mutant.start], text[:mutant.start])
            self.assertTrue(changed.endswith(text[mutant.end:]))
            self.assertEqual(mutant.line(text), 2)


class DrawTest(unittest.TestCase):
    def test_the_seed_decides_and_no_mutant_comes_twice(self):
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            for name in ("model/scheduler/a.cc", "model/sampling/b.cc"):
                (tree / name).parent.mkdir(parents=True)
                (tree / name).write_text("int F(int a) {\n  if (a < 1) return a + 2;\n  f(3);\n}\n")
            groups = list(mutate.GROUPS.values())
            drawn = [list(mutate.draw(tree, seed, groups)) for seed in (1, 1, 2)]
            self.assertEqual(drawn[0], drawn[1])
            self.assertNotEqual(drawn[0], drawn[2])
            self.assertEqual(len(set(drawn[0])), len(drawn[0]))
            self.assertEqual(set(drawn[0]), set(drawn[2]))
            # Each group in turn.
            first = [mutant.path for mutant in itertools.islice(drawn[0], 4)]
            self.assertEqual(first[0::2], [first[0]] * 2)
            self.assertNotEqual(first[0], first[1])
            self.assertEqual({mutant.path for mutant in mutate.draw(tree, 1, [["*/sampling/*.cc"]])},
                             {"model/sampling/b.cc"})
            self.assertEqual({mutant.operator for mutant in
                              mutate.draw(tree, 1, groups, "boundary")}, {"boundary"})

    def test_every_group_has_files(self):
        for name, patterns in mutate.GROUPS.items():
            self.assertTrue([path for pattern in patterns for path in mutate.ROOT.glob(pattern)],
                            name)

    def test_notes_of_equivalent_mutants_are_of_lines_that_exist_and_say_why(self):
        for (path, line, _), reason in mutate.known_equivalents().items():
            text = (mutate.ROOT / path).read_text()
            self.assertIn(line, " ".join(text.split()), path)
            self.assertGreater(len(reason), 20)


if __name__ == "__main__":
    unittest.main()
