#!/usr/bin/env python3
"""The size check itself: it must see what it is there to see."""
import unittest

import check_sizes


def found(text):
    return [(name, last - first + 1) for name, first, last in check_sizes.functions(text)]


def long_function(head, lines):
    return head + " {\n" + "  f();\n" * (lines - 2) + "}\n"


def says(text, exceptions=None, path="model/x/x.cc"):
    return check_sizes.check([(path, text)], exceptions or {})


class FunctionsTest(unittest.TestCase):
    def test_finds_functions_of_every_form(self):
        for head, name in (
                ("int F(int a)", "F"),
                ("absl::Status A::B::F(const std::string& a,\n    int b) const", "A::B::F"),
                ("template <typename T>\nstd::vector<T> F(T (*f)(int))", "F"),
                ("bool operator<(const X& a, const X& b)", "operator<"),
                ("X& X::operator=(X&& other) noexcept", "X::operator="),
                ("void X::operator()(int) const", "X::operator()"),
                ("X::~X()", "X::~X"),
                ("auto F(int a) -> std::vector<int>", "F"),
                ("void F() ABSL_LOCKS_EXCLUDED(mutex_)", "F"),
                ("void F() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_)", "F"),
                ("X::X(int a) : a_(a), b_{a}, c_([&] { return a; }())", "X::X"),
                ("X::X(int a) noexcept : a_{a}", "X::X"),
                ("X::X(int a)\n    : y_({.a = a,\n          .b = a}, 3)", "X::X"),
                ("int F(std::vector<int> a = {})", "F")):
            with self.subTest(head):
                text = long_function(head, 5)
                lines = text.count("\n") - head.count("template")  # From the name's line on.
                self.assertEqual(found("namespace a {\n" + text + "}\n"), [(name, lines)])

    def test_finds_members_of_classes_and_what_comes_after_them(self):
        text = ("class X : public Y<int> {\n public:\n  X() = default;\n  int a() const {\n"
                "    return a_;\n  }\n\n private:\n  int a_{3};\n  struct Z {\n    int b = 0;\n"
                "  } z_ = {1};\n};\nint F() { return 1; }\n")
        self.assertEqual(found(text), [("a", 3), ("F", 1)])

    def test_a_lambda_belongs_to_the_function_around_it(self):
        self.assertEqual(found("int F() {\n  auto g = [](int a) {\n    return a;\n  };\n"
                               "  if (g(1)) {\n    return 2;\n  }\n  return 1;\n}\n"), [("F", 9)])

    def test_takes_no_brace_from_comments_strings_characters_and_macros(self):
        self.assertEqual(found('// F() {\n/* { */\n#define M(x) \\\n  void x() {\n'
                               'int F() {\n  G("}\\"", \'}\', R"(}")}" )");\n  int a = 1\'000;\n}\n'),
                         [("F", 4)])

    def test_data_is_no_function(self):
        self.assertEqual(found("constexpr int kA[] = {1, 2};\nstruct A {\n  int a;\n};\n"
                               "enum class E : int { kA, kB };\nconst std::map<int, int> m = {{1, 2}};\n"
                               "namespace a::b {\n}\n"), [])


class CheckTest(unittest.TestCase):
    def test_refuses_a_function_of_61_lines_and_takes_one_of_60(self):
        self.assertEqual(says(long_function("int F()", 60)), [])
        self.assertEqual(says(long_function("int F()", 61)),
                         ["model/x/x.cc: F (line 1) must have at most 60 lines, has 61"])

    def test_refuses_a_file_of_401_lines_and_takes_one_of_400(self):
        self.assertEqual(says("int a;\n" * 400), [])
        self.assertEqual(says("int a;\n" * 401),
                         ["model/x/x.cc: the file must have at most 400 lines, has 401"])

    def test_an_exception_holds_up_to_its_lines(self):
        why = "a table that reads best in one piece"
        exceptions = {"model/x/x.cc:F": (70, why)}
        self.assertEqual(says(long_function("int F()", 70), exceptions), [])
        self.assertEqual(says(long_function("int F()", 71), exceptions),
                         ["model/x/x.cc: F (line 1) may have 70 lines by exception, has 71"])
        self.assertIn("must have at most 60", says(long_function("int G()", 61), exceptions)[0])

    def test_an_exception_that_nothing_needs_is_an_error(self):
        for text in (long_function("int F()", 60), "int a;\n"):
            self.assertEqual(
                says(text, {"model/x/x.cc:F": (70, "a table that reads best in one piece")}),
                ["model/x/x.cc:F: is an exception that nothing needs: take it out of the list"])

    def test_an_exception_must_say_why(self):
        self.assertEqual(says(long_function("int F()", 61), {"model/x/x.cc:F": (61, "long")}),
                         ["model/x/x.cc:F: an exception must say why"])


if __name__ == "__main__":
    unittest.main()
