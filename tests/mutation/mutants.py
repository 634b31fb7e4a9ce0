"""One-line faults for C++ sources: where they can be put and what they change.

A site is a place in a file's text and what stands there instead. Comments, literals
and directives are left alone. Not every fault compiles; who builds them skips those.
"""
import dataclasses
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "arch"))
import check_sizes  # pylint: disable=wrong-import-position


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`path` with text[start:end] replaced."""
    path: str
    operator: str
    start: int
    end: int
    replacement: str

    def apply(self, text):
        return text[:self.start] + self.replacement + text[self.end:]

    def line(self, text):
        return text.count("\n", 0, self.start) + 1

    def diff(self, text):
        """(the line as it is, the lines as they become), without indentation."""
        first = text.rfind("\n", 0, self.start) + 1
        last = text.find("\n", self.end)
        last = len(text) if last < 0 else last
        new = text[first:self.start] + self.replacement + text[self.end:last]
        return (" ".join(text[first:last].split()), " ".join(new.split()))


# operator -> (pattern, what the first group becomes). The formatter puts blanks around
# binary operators and none into template brackets, references and pointers.
_SWAPS = {
    "boundary": (r"(?<=[\w)\]] )(<=|>=|<|>)(?= )", {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}),
    "equality": (r"(?<= )(==|!=)(?= |\n)", {"==": "!=", "!=": "=="}),
    "and/or": (r"(?<= )(&&|\|\|)(?= |\n)", {"&&": "||", "||": "&&"}),
    "arithmetic": (r"(?<=[\w)\]] )([-+])(?= )", {"+": "-", "-": "+"}),
    "assignment": (r"(?<= )([-+]=)(?= )", {"+=": "-=", "-=": "+="}),
    "step": (r"(?<=[ (;])(\+\+|--)(?=\w)", {"++": "--", "--": "++"}),
    "boolean": (r"\b(true|false)\b", {"true": "false", "false": "true"}),
}
_NUMBER = re.compile(r"(?<![\w.'])(\d+)(?![\w.'])")
_CONDITION = re.compile(r"\b(?:if|while) \(")
_RETURN = re.compile(r"(?<=\n)( +)return ([^;{}]+);")
# A call or an assignment that is a statement of one line.
_STATEMENT = re.compile(r"(?<=[;{}]\n)( +)((?:\+\+|--)?[a-z_][\w.>:\[\]()*-]*"
                        r"(?:\([^;{}\n]*\)| [-+*/|&]?= [^;{}\n]+)?;)(?=\n)")
_NO_STATEMENT = re.compile(r"(return|using|break|continue|case|default|else|goto|throw|delete|"
                           r"static_assert|public|private)\b|[\w:<>]+ [\w]+;|\w+;$")


def _closing(text, opened):
    """Where the parenthesis at `opened` closes."""
    depth = 0
    for at in range(opened, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return -1


def mutants_of(path, text):
    """Every fault that the operators can put into `text`, which is `path`'s."""
    clean = check_sizes.blanked(text)
    found = []

    def add(operator, start, end, replacement):
        found.append(Mutant(path, operator, start, end, replacement))

    for operator, (pattern, swap) in _SWAPS.items():
        for match in re.finditer(pattern, clean):
            add(operator, *match.span(1), swap[match[1]])
    for match in _NUMBER.finditer(clean):
        if text[match.start(1)] != clean[match.start(1)]:
            continue  # Stands for a literal.
        value = int(match[1])
        add("constant", *match.span(1), str(value + 1))
        if value > 0:
            add("constant", *match.span(1), str(value - 1))
    for match in _CONDITION.finditer(clean):
        opened = match.end() - 1
        closed = _closing(clean, opened)
        inside = clean[opened + 1:closed]
        if ";" not in inside and " = " not in inside:
            add("condition", opened + 1, closed, f"!({text[opened + 1:closed]})")
    for match in _RETURN.finditer(clean):
        if match[2] not in ("true", "false", "{}"):
            add("return", *match.span(2), "{}")
    for match in _STATEMENT.finditer(clean):
        if not _NO_STATEMENT.match(match[2]):
            add("deletion", *match.span(2), ";")
    return found
