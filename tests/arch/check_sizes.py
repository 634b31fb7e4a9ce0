#!/usr/bin/env python3
"""Fails when a source file has over 400 lines or a function over 60.

A function's lines go from the line where its name stands to its closing brace. What
counts is the text: comments, strings and the macros' continuation lines are blanked
first, then every brace after a parameter list opens a function. A lambda counts as a
part of the function around it.

    check_sizes.py [ROOT]          prints everything too long; exit 1 if there is one

EXCEPTIONS holds what may be longer and why. An entry that is not needed any more is
an error, and so is one that has grown: the list can only shrink.
"""
import bisect
import pathlib
import re
import sys

MAX_FILE = 400
MAX_FUNCTION = 60

# "path" or "path:function" -> (lines at most, reason).
EXCEPTIONS = {}

_BLANK = re.compile(
    r'//(?:\\\n|[^\n])*'                            # a comment to the end of the line
    r'|/\*.*?\*/'                                   # a comment
    r'|R"([^\s()\\]{0,16})\(.*?\)\1"'               # a raw string
    r'|"(?:\\.|[^"\\\n])*"'                         # a string
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",        # a character; 1'000 is a number
    re.S)
_DIRECTIVE = re.compile(r'^[ \t]*#(?:\\\n|[^\n])*', re.M)
# What may stand between a parameter list and the body.
_TAIL = re.compile(
    r'\)(?P<tail>(?:\s|const\b|noexcept\b(?:\s*\([^()]*\))?|override\b|final\b|mutable\b|'
    r'&&?|try\b|[A-Z][A-Z0-9_]{3,}\b(?:\s*\([^{};]*?\))?|->\s*[\w:<>,*&\s\[\]]+)*)$')
_NOT_NAMES = {"if", "for", "while", "switch", "catch", "return", "sizeof", "decltype",
              "alignof", "constexpr", "requires", "noexcept", "static_assert"}
_NAME = re.compile(r'((?:[\w~]+(?:<[^<>;{}]*>)?\s*::\s*)*(?:operator\s*(?:\(\)|\[\]|[^\s\w(]+|\w+)|~?\w+))\s*$')


def blanked(text):
    """`text` with comments, literals and directives as blanks, line for line."""
    def blank(match):
        return re.sub(r'[^\n]', ' ', match[0])

    def literal(match):
        return blank(match) if match[0][0] == '/' else '0' + blank(match)[1:]
    return _DIRECTIVE.sub(blank, _BLANK.sub(literal, text))


def _open_parenthesis(text, close):
    """Where the parenthesis that closes at `close` opens; -1 when it does not."""
    depth = 0
    for at in range(close, -1, -1):
        if text[at] == ')':
            depth += 1
        elif text[at] == '(':
            depth -= 1
            if depth == 0:
                return at
    return -1


def _head_without_initializers(head):
    """`head` up to the parameter list, without a constructor's `: a_(x), b_{y}`."""
    depth = 0
    for at, char in enumerate(head):
        if char in '([{':
            depth += 1
        elif char in ')]}':
            depth -= 1
        elif (char == ':' and depth == 0 and head[at - 1:at] != ':'
              and head[at + 1:at + 2] != ':' and head[:at].rstrip().endswith((')', 'noexcept'))):
            return head[:at]
    return head


def _function_name(head):
    """(name, where it stands) of the function whose body follows `head`; None for any
    other brace."""
    head = _head_without_initializers(head)
    tail = _TAIL.search(head)
    if not tail:
        return None
    close = tail.start()
    opened = _open_parenthesis(head, close)
    if opened < 0:
        return None
    # A macro with arguments after the list: ABSL_LOCKS_EXCLUDED(mutex_).
    name = _NAME.search(head[:opened])
    if not name:
        return None
    word = re.sub(r'\s+', '', name[1])
    if re.fullmatch(r'[A-Z][A-Z0-9_]{3,}|noexcept', word) and ')' in head[:name.start()]:
        return _function_name(head[:name.start()])
    return None if word in _NOT_NAMES else (word, name.start())


def functions(text):
    """Yields (name, first line, last line) of each function defined in `text`."""
    clean = blanked(text)
    starts = [0] + [m.end() for m in re.finditer('\n', clean)]

    def line(at):
        return bisect.bisect_right(starts, at)

    stack = []     # For each open brace: (name, line) of a function or None.
    inside = 0     # Functions among them.
    head = 0       # Where the text that a brace belongs to begins.
    for brace in re.finditer(r'[{};]', clean):
        at, char = brace.start(), brace[0]
        if char == ';':
            if _parentheses_closed(clean[head:at]):
                head = at + 1
            continue
        if char == '{':
            name = None
            if not inside:
                if _in_a_head(clean[head:at]):
                    stack.append('head')
                    continue
                name = _function_name(clean[head:at])
            if name is not None:
                inside += 1
                stack.append((name[0], line(head + name[1])))
            else:
                stack.append(None)
            head = at + 1
        elif stack:
            top = stack.pop()
            if top == 'head':
                continue
            if top:
                inside -= 1
                yield top[0], top[1], line(at)
            head = at + 1


def _parentheses_closed(text):
    return text.count('(') <= text.count(')')


def _in_a_head(head):
    """Whether a brace after `head` opens a value and the head goes on behind it: in a
    parenthesis, or a member's value in `X(...) : a_{`."""
    return not _parentheses_closed(head) or (
        _head_without_initializers(head) != head and not head.rstrip().endswith((')', '}')))


def complaints(path, text, exceptions, used):
    """Yields a sentence for each thing in `text` that is too long; notes in `used`
    which exceptions were needed."""
    sizes = [(path, text.count('\n'), MAX_FILE, "the file")]
    for name, first, last in functions(text):
        sizes.append((f"{path}:{name}", last - first + 1, MAX_FUNCTION,
                      f"{name} (line {first})"))
    for key, lines, limit, what in sizes:
        if lines <= limit:
            continue
        allowed = exceptions.get(key)
        if allowed is None:
            yield f"{path}: {what} must have at most {limit} lines, has {lines}"
        else:
            used.add(key)
            if lines > allowed[0]:
                yield f"{path}: {what} may have {allowed[0]} lines by exception, has {lines}"


def check(files, exceptions):
    """All sentences for `files`, pairs of path and text."""
    used = set()
    bad = [line for path, text in files for line in complaints(path, text, exceptions, used)]
    for key in sorted(set(exceptions) - used):
        bad.append(f"{key}: is an exception that nothing needs: take it out of the list")
    bad += [f"{key}: an exception must say why" for key, (_, why) in exceptions.items()
            if len(why) < 20]
    return bad


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = [(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
             for top in ("model", "server", "client") for path in sorted((root / top).rglob("*"))
             if path.suffix in (".h", ".cc", ".inc")]
    if not files:
        sys.exit(f"check_sizes: no sources below {root}")
    bad = check(files, EXCEPTIONS)
    count = sum(1 for _, text in files for _ in functions(text))
    print("\n".join(bad) if bad else f"{len(files)} files and {count} functions are short enough")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
