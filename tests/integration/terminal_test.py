#!/usr/bin/env python3
"""How the binaries behave on a terminal, in a pipe and on a full disk; what they say of mistakes;
completion and the manual page, in the real shells where they are installed."""
import fcntl
import json
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import tempfile
import termios
import time
import unittest

from alignsae_server import BIN, ServerTest, main

PROGRAMS = ("alignsae", "alignsae-server", "alignsae-train", "alignsae-load")
EX_IOERR = 74


def run(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          timeout=300, check=False, **options)


def on_terminal(*words, columns=80, env=None):
    """What a program writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    settings = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen([str(word) for word in words], stdout=theirs, stderr=subprocess.PIPE,
                          env={**settings, "TERM": "xterm", **(env or {})}) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # The other end is closed.
                break
            if not part:
                break
            parts.append(part)
    os.close(ours)
    return b"".join(parts).decode().replace("\r\n", "\n")


class EveryProgramTest(unittest.TestCase):
    def test_version(self):
        for name in PROGRAMS:
            done = run(BIN / name, "--version")
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            self.assertRegex(done.stdout, rf"^{name} \d+\.\d+\.\d+\n$")

    def test_an_unknown_flag_or_command_names_the_nearest(self):
        for words, code, meant in ((("alignsae", "raed", "x"), 64, "read"),
                                   (("alignsae", "swap", "x", "--too=y"), 64, "--to"),
                                   (("alignsae-train", "pipelne"), 2, "pipeline"),
                                   (("alignsae-train", "eval", "--bundel=x"), 2, "--bundle"),
                                   (("alignsae-load", "--secnds=1"), 64, "--seconds"),
                                   (("alignsae-load", "--mix=swpa"), 64, "swap"),
                                   (("alignsae-server", "--modle=x"), 78, "--model")):
            done = run(BIN / words[0], *words[1:])
            self.assertEqual(done.returncode, code, words)
            self.assertIn(f"did you mean {meant}?", done.stderr)

    def test_a_full_disk_is_told(self):
        for name in PROGRAMS:
            for flag in ("--help", "--version", "--man", "--completion=bash"):
                with open("/dev/full", "w", encoding="utf-8") as full:
                    done = subprocess.run([BIN / name, flag], stdout=full, stderr=subprocess.PIPE,
                                          text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, EX_IOERR, (name, flag))
                self.assertIn("standard output: cannot be written: No space left", done.stderr)

    def test_the_manual_page_is_whole_for_groff(self):
        if shutil.which("groff") is None:
            self.skipTest("groff is not installed")
        for name in PROGRAMS:
            page = run(BIN / name, "--man").stdout
            done = run("groff", "-man", "-Tutf8", "-ww", "-rLL=78n", input=page)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)
            for part in ("NAME", "SYNOPSIS", "EXIT STATUS", "--version"):
                self.assertIn(part, re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout))

    def test_an_installation_has_pages_and_completions(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("cmake", "--install", BIN.parent, "--prefix", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            for name in PROGRAMS:
                for place in (f"bin/{name}", f"share/man/man1/{name}.1",
                              f"share/bash-completion/completions/{name}",
                              f"share/zsh/site-functions/_{name}",
                              f"share/fish/vendor_completions.d/{name}.fish"):
                    self.assertGreater(os.path.getsize(os.path.join(folder, place)), 500, place)

    def test_scripts_parse_in_their_shells(self):
        for shell, check in (("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]),
                             ("fish", ["fish", "--no-execute"])):
            if shutil.which(shell) is None:
                continue
            for name in PROGRAMS:
                with tempfile.NamedTemporaryFile("w") as script:
                    script.write(run(BIN / name, f"--completion={shell}").stdout)
                    script.flush()
                    done = run(*check, script.name)
                self.assertEqual((done.returncode, done.stderr), (0, ""), (name, shell))


class TerminalTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.question = cls.by_name["birth_city"].example
        cls.command = [BIN / "alignsae", f"--server={cls.server.target}"]
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name

    def cli(self, *words, code=0, **options):
        done = run(*self.command, *words, **options)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def file(self, text):
        path = os.path.join(self.folder, "prompts.txt")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def test_a_dash_is_standard_input(self):
        asked = self.cli("read", self.question).stdout
        self.assertEqual(self.cli("read", "-", input=self.question + "\n").stdout, asked)
        raw = self.cli("tokenize", "--raw", "-", input="one\ntwo\n").stdout
        self.assertEqual(raw, self.cli("tokenize", "--raw", "one\ntwo").stdout)

    def test_a_file_is_a_batch(self):
        other = self.by_name["major"].example
        path = self.file(f"{self.question}\n\n{other}\n")
        text = self.cli("read", "--file", path).stdout
        self.assertLess(text.index(f"{path}:1: "), text.index("top concept: birth_city"))
        self.assertLess(text.index(f"{path}:3: "), text.index("top concept: major"))
        lines = self.cli("swap", "--to=employer", "--json", "--file=-",
                         input=f"{self.question}\n{other}\n").stdout.splitlines()
        self.assertEqual([json.loads(line)["baseline"]["promptReading"]["topConcept"]
                          for line in lines], ["birth_city", "major"])
        self.assertIn("must not be given beside a prompt",
                      self.cli("read", "--file", path, "x", code=64).stderr)
        self.assertIn("--file: cannot open", self.cli("read", "--file=/no", code=66).stderr)

    def test_a_bad_line_stops_nothing_and_is_told(self):
        path = self.file(f"{self.question}\n{'x' * 70000}\n{self.question}\n")
        done = self.cli("read", "--json", "--file", path, code=64)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([("readings" in line, line.get("place")) for line in lines],
                         [(True, None), (False, f"{path}:2"), (True, None)])
        self.assertEqual(lines[1]["error"]["code"], "INVALID_ARGUMENT")
        self.assertIn(f"1 of 3 prompts failed, the first at {path}:2", done.stderr)

    def test_output_that_does_not_arrive_is_no_success(self):
        for words in (("concepts",), ("read", self.question), ("generate", self.question),
                      ("swap", self.question, "--to=employer", "--json")):
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([*self.command, *words], stdout=full, timeout=60,
                                      stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual(done.returncode, EX_IOERR, words)
            self.assertIn("No space left on device; what arrived is not whole", done.stderr)
            # Who ignores SIGPIPE is told by the same code; else the signal ends it.
            for ignore, codes in ((True, (EX_IOERR,)), (False, (-13, EX_IOERR))):
                ours, theirs = os.pipe()
                os.close(ours)
                done = subprocess.run(
                    ["sh", "-c", ("trap '' PIPE; " if ignore else "") + 'exec "$@"', "sh",
                     *self.command, *words], stdout=theirs, stderr=subprocess.PIPE, text=True,
                    timeout=60, check=False)
                os.close(theirs)
                self.assertIn(done.returncode, codes, (words, ignore, done.stderr))

    def test_the_load_report_is_written_before_it_is_printed(self):
        report = os.path.join(self.folder, "report.json")
        words = [BIN / "alignsae-load", f"--server={self.server.target}", "--seconds=0.5",
                 "--warmup-seconds=0", "--concurrency=1", "--mix=model"]
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([*words, f"--json={report}"], stdout=full, timeout=60,
                                  stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, EX_IOERR, done.stderr)
        with open(report, encoding="utf-8") as file:
            self.assertIn("model", json.load(file)["latency"])
        done = run(*words, "--json=/dev/full")
        self.assertEqual(done.returncode, 64, done.stderr)
        self.assertIn("/dev/full: must be a regular file", done.stderr)

    def test_a_server_that_is_not_there_gets_a_sentence(self):
        done = run(BIN / "alignsae", "--server=127.0.0.1:1", "--timeout=5", "model")
        self.assertIn(done.returncode, (69, 75))
        self.assertIn("no server answers at 127.0.0.1:1; is alignsae-server running there?",
                      done.stderr)

    def test_an_unknown_concept_names_the_nearest(self):
        done = self.cli("swap", self.question, "--to=employr", code=66)
        self.assertIn('did you mean \\"employer\\"?', done.stderr.replace('"', '\\"'))

    def test_alpha_out_of_its_range_gets_a_hint(self):
        for alpha, word in (("50", "above"), ("0.05", "below")):
            done = self.cli("swap", self.question, "--to=employer", f"--alpha={alpha}")
            self.assertRegex(done.stderr, f"^alignsae: hint: alpha {alpha} is {word} the useful "
                             r"range of employer, 0\.\d+ to 4\.5")
            self.assertIn("steered", done.stdout)
        self.assertEqual(self.cli("swap", self.question, "--to=employer", "--alpha=1").stderr, "")
        done = self.cli("generate", self.question, "--edit=swap:employer@50")
        self.assertIn("hint: alpha 50", done.stderr)

    def test_tables_fit_the_terminal(self):
        for words in (("read", self.question), ("inspect", self.question), ("concepts",),
                      ("swap", self.question, "--to=employer"), ("model",),
                      ("sweep", self.question, "--to=employer,major", "--alphas=0.5,1,2"),
                      ("matrix", self.question, "--concepts=employer,major")):
            for columns in (120, 80, 40):
                text = on_terminal(*self.command, *words, columns=columns, env={"NO_COLOR": "1"})
                self.assertNotIn("\x1b", text)
                for line in self.of_tables(words[0], text):
                    self.assertLessEqual(len(line), columns, (words, columns, line))

    @staticmethod
    def of_tables(command, text):
        """The lines of tables: sentences may be as long as they are."""
        sentence = {"read": r"top concept|read at", "inspect": r"read at",
                    "model": r"(model|shape|sha256|template|server) ",
                    "swap": r"top concept|  receipt|    position", "concepts": "", "sweep": "",
                    "matrix": ""}
        pattern = sentence[command]
        return [line for line in text.splitlines()
                if not (pattern and re.match(rf"\s*({pattern})", line))]

    def test_in_tmux(self):
        if shutil.which("tmux") is None:
            self.skipTest("tmux is not installed")
        socket = os.path.join(self.folder, "tmux")
        tmux = ["tmux", "-S", socket, "-f", "/dev/null"]
        self.addCleanup(lambda: run(*tmux, "kill-server"))
        for columns in (80, 120):
            words = shlex.join(map(str, (*self.command, "read", self.question)))
            run(*tmux, "new-session", "-d", "-s", f"w{columns}", "-x", columns, "-y", "40",
                f"{words}; echo DONE; sleep 60")
            screen = ""
            deadline = time.monotonic() + 30
            while "DONE" not in screen and time.monotonic() < deadline:
                time.sleep(0.1)
                screen = run(*tmux, "capture-pane", "-p", "-t", f"w{columns}").stdout
            self.assertIn("DONE", screen)
            rows = [line for line in screen.splitlines()
                    if line.split()[:1] and line.split()[0] in self.by_name]
            self.assertEqual(len(rows), len(self.by_name), screen)  # None was broken in two.
            self.assertIn("█", screen)

    def test_colour_is_for_terminals_that_want_it(self):
        words = (*self.command, "read", self.question)
        self.assertIn("\x1b[32mbirth_city", on_terminal(*words))
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\x1b", on_terminal(*words, env=env))
        self.assertNotIn("\x1b", self.cli("read", self.question).stdout)

    def test_inspect_says_where_the_sae_was_trained(self):
        text = on_terminal(*self.command, "inspect", self.question, columns=200)
        rows = [line for line in text.splitlines() if re.match(r"(\x1b\[2m)? +\d+  '", line)]
        self.assertTrue(all(row.startswith("\x1b[2m") for row in rows[:-1]), rows)
        self.assertFalse(rows[-1].startswith("\x1b"), rows[-1])
        self.assertIn("trained on the last position of prompts only", text)

    def complete_in_bash(self, *words):
        script = run(BIN / "alignsae", "--completion=bash").stdout
        line = shlex.join(words)
        done = run("bash", "-c", f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
                   '_alignsae; printf "%s\\n" "${COMPREPLY[@]}"',
                   env={**os.environ, "ALIGNSAE_SERVER": self.server.target})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return set(done.stdout.split())

    def test_completion_in_bash(self):
        program = str(BIN / "alignsae")
        self.assertEqual(self.complete_in_bash(program, "sw"), {"swap", "sweep"})
        self.assertEqual(self.complete_in_bash(program, "swap", "x", "--temp"), {"--temperature"})
        self.assertEqual(self.complete_in_bash(program, "swap", "x", "--to", ""),
                         set(self.by_name))
        self.assertEqual(self.complete_in_bash(program, "swap", "x", "--to", "=", "emp"),
                         {"employer"})
        self.assertEqual(self.complete_in_bash(program, "sweep", "x", "--to", "major,emp"),
                         {"major,employer"})
        self.assertEqual(self.complete_in_bash(program, "--completion", ""),
                         {"bash", "zsh", "fish"})

    def test_completion_in_fish(self):
        if shutil.which("fish") is None:
            self.skipTest("fish is not installed")
        script = run(BIN / "alignsae", "--completion=fish").stdout
        done = run("fish", "--no-config", "-c", f'{script}\ncomplete -C "alignsae swap --to emp"',
                   env={**os.environ, "ALIGNSAE_SERVER": self.server.target, "HOME": self.folder,
                        "PATH": f"{BIN}:{os.environ['PATH']}"})
        self.assertIn("employer", done.stdout, done.stderr)

    def test_completion_in_zsh(self):
        if shutil.which("zsh") is None:
            self.skipTest("zsh is not installed")
        script = os.path.join(self.folder, "_alignsae")
        with open(script, "w", encoding="utf-8") as out:
            out.write(run(BIN / "alignsae", "--completion=zsh").stdout)
        ours, theirs = pty.openpty()
        with subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs,
                              env={**os.environ, "ALIGNSAE_SERVER": self.server.target,
                                   "TERM": "xterm", "HOME": self.folder,
                                   "PATH": f"{BIN}:{os.environ['PATH']}"},
                              start_new_session=True) as shell:
            os.close(theirs)
            os.write(ours, b"autoload -U compinit; compinit -D; . ./_alignsae\n".replace(
                b"./", self.folder.encode() + b"/") + b"alignsae swap --to emp\t")
            text, deadline = "", time.monotonic() + 20
            while "--to employer" not in text and time.monotonic() < deadline:
                text += os.read(ours, 65536).decode(errors="replace")
            shell.kill()
        os.close(ours)
        self.assertIn("--to employer", text)


if __name__ == "__main__":
    main()
