#!/usr/bin/env python3
"""The command-line client and the Python example against the real server."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from alignsae_server import BIN, SOURCE, STUBS, ServerTest, main


class CliTest(ServerTest):
    def cli(self, *args, code=0):
        done = subprocess.run([BIN / "alignsae", f"--server={self.server.target}", *args],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def question(self, name="birth_city"):
        return self.by_name[name].example

    def test_model_and_concepts_are_tables(self):
        self.assertIn("resid_", self.cli("model"))
        concepts = self.cli("concepts")
        for name in self.by_name:
            self.assertIn(name, concepts)
        lines = concepts.splitlines()
        certificates = lines[lines.index("") + 1:]
        self.assertEqual(certificates[0].split(), ["writes", "cosine", "written", "alpha",
                                                   "swap", "interval", "tries", "wordings",
                                                   "people"])
        for line in certificates[1:]:
            row = self.by_name[line.split()[0]].certificate
            self.assertEqual(line.split()[1:3], [f"{row.cosine:.3f}", f"{row.written_share:.3f}"])
            self.assertEqual(int(line.split()[6]), row.measured_swap.tries)
        self.assertLessEqual(max(map(len, certificates)), 80)

    def test_read_shows_bars_and_the_top_concept(self):
        text = self.cli("read", self.question())
        self.assertIn("top concept: birth_city", text)
        self.assertIn("█", text)

    def test_read_takes_several_questions(self):
        text = self.cli("read", self.question("birth_city"), self.question("major"))
        self.assertLess(text.index("top concept: birth_city"), text.index("top concept: major"))

    def test_swap_shows_both_answers_and_the_receipt(self):
        text = self.cli("swap", self.question(), "--to", "employer")
        self.assertIn("baseline", text)
        self.assertIn("steered", text)
        self.assertIn("receipt: SWAP employer", text)

    def test_sweep_is_a_table_of_targets_and_strengths(self):
        text = self.cli("sweep", self.question(), "--to=employer,major", "--alphas=0.5,1,2")
        rows = [line.split()[0] for line in text.splitlines()[1:]]
        self.assertEqual(rows, ["baseline"] + ["employer"] * 3 + ["major"] * 3)
        lines = self.cli("sweep", self.question(), "--to=employer", "--alphas=1", "--mode=add",
                         "--json").splitlines()
        events = [next(iter(json.loads(line))) for line in lines]
        self.assertEqual(events, ["started", "cell", "cell", "summary"])
        self.assertIn("alphas[1]: must differ",
                      self.cli("sweep", self.question(), "--to=major", "--alphas=1,1", code=64))

    def test_conditions_and_guards_are_told(self):
        text = self.cli("swap", self.question(), "--to=employer", "--when=!birth_city")
        self.assertIn("0 positions of 1: the condition held nowhere", text)
        for words in (["sweep", "--to=employer", "--alphas=1"], ["find-alpha", "--to=employer",
                      "--on-top", "--max-tries=2"], ["matrix", "--concepts=employer,major"]):
            text = self.cli(words[0], self.question(), *words[1:], "--when=!birth_city")
            self.assertIn("not held", text)
        text = self.cli("swap", self.question(), "--to=employer", "--side-effects")
        self.assertRegex(text, r"side effects: KL mean [0-9.]+, largest [0-9.]+; first other token")
        self.assertRegex(text, r"major: [+-][0-9.]+ at position")
        text = self.cli("generate", self.question(), "--edit=swap:employer", "--max-kl=0.001")
        self.assertRegex(text, r"guard: KL of [0-9.]+ at position [0-9]+ is above 0.001")
        text = self.cli("generate", self.question(), "--abort-when=birth_city>-1000")
        self.assertIn("1 tokens, ABORTED", text)
        self.assertIn('--when: must be CONCEPT, !CONCEPT or CONCEPT>VALUE, got "a>b"',
                      self.cli("swap", self.question(), "--to=employer", "--when=a>b", code=64))

    def test_matrix_is_a_table_of_pairs(self):
        text = self.cli("matrix", self.question(), "--concepts=employer,major",
                        "--expect=major=Nursing")
        lines = text.splitlines()
        self.assertEqual([line.split()[:2] for line in lines[1:4]],
                         [["baseline", "-"], ["employer", "major"], ["major", "employer"]])
        self.assertRegex(lines[-1], "of 1 swaps as expected")
        self.assertIn('--expect: must be CONCEPT=ANSWER, got "major"',
                      self.cli("matrix", self.question(), "--expect=major", code=64))
        self.assertIn("concepts: must be at least two, got 1",
                      self.cli("matrix", self.question(), "--concepts=major", code=64))

    def test_find_alpha_tells_both_ends(self):
        answer = json.loads(self.cli("swap", self.question(), "--to=employer", "--json"))
        text = self.cli("find-alpha", self.question(), "--to=employer",
                        f"--answer={answer['steered']['text']}")
        self.assertRegex(text, r"smallest: [0-9.]+\nlargest:  [0-9.]+")
        text = self.cli("find-alpha", self.question(), "--to=employer", "--answer=nonsense",
                        "--max-tries=3")
        self.assertIn("no strength that was tried reaches the goal", text)
        text = self.cli("find-alpha", self.question(), "--to=employer", "--on-top",
                        "--max-kl=0.001", "--max-tries=3")
        self.assertRegex(text, r"KL [0-9.]+ > 0.001")
        self.assertIn("goal: must name an answer, a first token or target_on_top",
                      self.cli("find-alpha", self.question(), "--to=employer", code=64))

    def test_json_is_json_with_every_field(self):
        answer = json.loads(self.cli("swap", self.question(), "--to=employer", "--json"))
        self.assertEqual(answer["steered"]["receipts"][0]["targetConcept"], "employer")
        lines = self.cli("generate", self.question(), "--json").splitlines()
        events = [next(iter(json.loads(line))) for line in lines]
        self.assertEqual((events[0], events[-1]), ("started", "summary"))

    def test_generate_streams_one_arm_and_compares_two(self):
        answer = json.loads(self.cli("swap", self.question(), "--to=employer", "--json"))
        one = self.cli("generate", self.question(), "--edit=swap:birth_city>employer")
        self.assertTrue(one.startswith(answer["steered"]["text"]), one)
        both = self.cli("generate", self.question(), "--edit=swap:employer", "--both")
        self.assertIn(answer["baseline"]["text"].strip(), both)
        self.assertIn(answer["steered"]["text"].strip(), both)

    def test_inspect_and_tokenize_list_every_token(self):
        tokens = self.cli("tokenize", self.question()).splitlines()
        inspected = self.cli("inspect", self.question()).splitlines()
        self.assertEqual(len(tokens), len(inspected) - 1)  # The hook's line.

    def test_exit_codes_follow_the_status(self):
        self.assertIn("NOT_FOUND", self.cli("swap", self.question(), "--to=no_such", code=66))
        self.assertIn("INVALID_ARGUMENT", self.cli(
            "generate", self.question(), "--temperature=-1", code=64))
        self.assertIn("--edit", self.cli("generate", "x", "--edit=nonsense", code=64))
        self.assertTrue(self.cli("swap", self.question(), code=64))  # --to is missing.
        self.assertTrue(self.cli("no-such-command", code=64))
        done = subprocess.run([BIN / "alignsae", "--server=127.0.0.1:1", "--timeout=2", "model"],
                              capture_output=True, text=True, timeout=30)
        self.assertIn(done.returncode, (69, 75), done.stderr)

    def test_python_example_reads_and_swaps(self):
        done = subprocess.run(
            [sys.executable, SOURCE / "client/python/swap_concept.py", "--server",
             self.server.target, "--to", "employer", self.question()],
            capture_output=True, text=True, timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(
                [path for path in sys.path if "stubs" in path] or [str(STUBS)])})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("baseline (birth_city): ", done.stdout)
        self.assertIn("steered (employer): ", done.stdout)

    def test_vectors_is_a_program_of_its_own(self):
        words = ("--concept", "employer", "--out=x.gguf", "dir", "--help", "model", "-1")
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([BIN / "alignsae", "vectors", *words], capture_output=True,
                                  text=True, timeout=60, env={"PATH": folder}, check=False)
            self.assertEqual((done.returncode, done.stdout), (66, ""))
            self.assertEqual(done.stderr, "alignsae: NOT_FOUND: alignsae-vectors: must be in PATH, "
                             "got none there; pip install 'client/python[vectors]' brings it\n")
            program = pathlib.Path(folder) / "alignsae-vectors"
            program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 3\n")
            program.chmod(0o644)
            done = subprocess.run([BIN / "alignsae", "vectors"], capture_output=True, text=True,
                                  timeout=60, env={"PATH": folder}, check=False)
            self.assertEqual(done.returncode, 77)
            self.assertIn("alignsae-vectors: cannot run", done.stderr)
            program.chmod(0o755)
            done = subprocess.run([BIN / "alignsae", "vectors", *words], capture_output=True,
                                  text=True, timeout=60, env={"PATH": folder}, check=False)
            self.assertEqual((done.returncode, done.stderr), (3, ""))
            self.assertEqual(done.stdout.splitlines(), list(words))
        self.assertIn("vectors", self.cli("--help"))


if __name__ == "__main__":
    main()
