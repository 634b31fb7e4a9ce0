"""A corpus is asked about row by row, and goes on where it stopped."""
import contextlib
import importlib.util
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc

import alignsae
from alignsae import _wire, batch, tasks
from fake_server import FakeServer, careful, refusal

READ = "ConceptService/ReadConcepts"


class BatchTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / "out.jsonl"

    def serve(self, method=READ, answer=careful, sha256="0"):
        served = _wire.message("GetModelResponse")(model={"sha256": sha256})
        server = FakeServer({method: answer, "ModelService/GetModel": lambda *_: served})
        self.addCleanup(server.close)
        return server

    def corpus(self, rows, name="corpus.jsonl"):
        path = self.folder / name
        path.write_text("".join(
            (row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
        return path

    def run_batch(self, server, corpus, task=tasks.Read(), **options):
        return batch.run(corpus, self.out, task, server.target, progress=False, **options)

    def lines(self):
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def test_line_i_is_row_i_with_its_answer(self):
        rows = [{"id": i, "question": "ab"[i % 3 == 0] + "é"} for i in range(100)]
        server = self.serve()
        report = self.run_batch(server, self.corpus(rows), workers=3)
        self.assertEqual((report.rows, report.resumed, report.errors), (100, 0, 0))
        lines = self.lines()
        self.assertEqual([line["id"] for line in lines], list(range(100)))
        for row, line in zip(rows, lines):
            self.assertEqual(line["answer"]["top_concept"], row["question"][0])
            self.assertEqual(line["question"], row["question"])
            self.assertIsNone(line["error"])
        self.assertEqual(lines[0]["answer"]["values"], {"a": 0.0, "b": 1.0})
        self.assertEqual([name for name, _, _ in server.seen].count(READ), 4)  # Not one a row.

    def test_a_bad_row_is_told_and_stops_nothing(self):
        rows = [{"question": "a"}, {"question": ""}, {"text": "b"}, "no json", "[1]",
                {"question": 7}, "", {"question": "b"}]
        report = self.run_batch(self.serve(), self.corpus(rows))
        self.assertEqual((report.rows, report.errors), (7, 5))
        lines = self.lines()
        self.assertEqual([line["answer"] and line["answer"]["top_concept"] for line in lines],
                         ["a", None, None, None, None, None, "b"])
        self.assertEqual([line["error"] and line["error"]["reason"] for line in lines],
                         [None, "INVALID_FIELD", "BAD_ROW", "BAD_ROW", "BAD_ROW", "BAD_ROW", None])
        self.assertIn("must not be empty", lines[1]["error"]["message"])

    def test_what_is_no_row_s_fault_stops_the_run(self):
        def answer(_, context):
            refusal(context, grpc.StatusCode.NOT_FOUND, "no such checkpoint")
        with self.assertRaises(alignsae.NotFoundError):
            self.run_batch(self.serve(answer=answer), self.corpus([{"question": "a"}]))

    def test_a_busy_server_is_waited_for(self):
        refused = []

        def answer(request, context):
            if len(refused) < 30:
                refused.append(1)
                refusal(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_after=0.01)
            return careful(request, context)
        report = self.run_batch(self.serve(answer=answer), self.corpus([{"question": "a"}] * 5),
                                retries=alignsae.Retries(max_attempts=50, max_pause=0.02, budget=0))
        self.assertEqual((report.rows, report.errors), (5, 0))

    def test_another_corpus_task_or_model_does_not_go_on(self):
        server, corpus = self.serve(), self.corpus([{"question": "a"}])
        self.run_batch(server, corpus)
        self.assertEqual(self.run_batch(server, corpus).resumed, 1)
        other = self.corpus([{"question": "b"}], "other.jsonl")
        for words in ((other, tasks.Read()), (corpus, tasks.Read(position=0)),
                      (corpus, tasks.Swap(to="a"))):
            with self.assertRaisesRegex(FileExistsError, "another corpus, task or model"):
                self.run_batch(server, *words)
        with self.assertRaisesRegex(FileExistsError, "another corpus, task or model"):
            self.run_batch(self.serve(sha256="1"), corpus)
        (self.folder / "out.jsonl.job.json").unlink()
        with self.assertRaisesRegex(FileExistsError, "is there, and no"):
            self.run_batch(server, corpus)

    def test_a_killed_run_goes_on_where_it_stopped(self):
        rows = [{"question": "ab"[i % 2], "i": i} for i in range(320)]
        corpus, hold, calls = self.corpus(rows), threading.Event(), []

        def answer(request, context):
            calls.append(1)
            if len(calls) > 5:
                hold.wait(60)
            return careful(request, context)
        server = self.serve(answer=answer)
        command = [sys.executable, "-m", "alignsae.batch", str(corpus), "--out", str(self.out),
                   "--server", server.target, "--workers", "2", "--quiet"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(command, env=environment) as process:
            deadline = time.monotonic() + 60
            while not self.out.exists() or self.out.read_bytes().count(b"\n") < 64:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)
            process.kill()
        hold.set()
        with open(self.out, "ab") as file:
            file.write(b'{"question": "torn')
        done = subprocess.run(command, env=environment, check=False, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"320 rows \((64|96|128|160) were there\), 0 with an error")
        self.assertEqual([line["i"] for line in self.lines()], list(range(320)))
        self.assertTrue(all(line["answer"]["top_concept"] == line["question"]
                            for line in self.lines()))

    @unittest.skipIf(importlib.util.find_spec("pyarrow") is None, "pyarrow is not installed")
    def test_parquet(self):
        import pyarrow  # pylint: disable=import-outside-toplevel
        from pyarrow import parquet  # pylint: disable=import-outside-toplevel
        path = self.folder / "corpus.parquet"
        parquet.write_table(pyarrow.table({
            "prompt": ["a", "b", ""], "ids": [[1], [2], [3]]}), path)
        self.assertEqual(batch._count(path), 3)
        self.run_batch(self.serve(), path, tasks.Read(column="prompt"))
        self.assertEqual([line["answer"] and line["answer"]["top_concept"]
                          for line in self.lines()], ["a", "b", None])
        self.assertEqual(self.lines()[1]["ids"], [2])

    @unittest.skipIf(importlib.util.find_spec("tqdm") is None, "tqdm is not installed")
    def test_the_bar_counts_rows(self):
        server, corpus = self.serve(), self.corpus([{"question": "a"}, "", {"question": "b"}])
        told = io.StringIO()
        with contextlib.redirect_stderr(told):
            batch.main([str(corpus), "--out", str(self.out), "--server", server.target])
        self.assertIn("2/2", told.getvalue())
        self.assertIn("2 rows (0 were there), 0 with an error", told.getvalue())

    def test_the_command_says_what_is_wrong(self):
        gone = FakeServer({})
        gone.close()
        command = ["--out", str(self.out), "--quiet", "--server", gone.target]
        with self.assertRaisesRegex(SystemExit, "alignsae.batch: .*no_such.jsonl"):
            batch.main(["no_such.jsonl", *command])
        with self.assertRaisesRegex(SystemExit, "alignsae.batch: UNAVAILABLE: "):
            batch.main([str(self.corpus([{"question": "a"}])), *command])

    def test_tasks_check_what_they_are_told(self):
        with self.assertRaisesRegex(ValueError, "form: must be one of"):
            tasks.Read(form="poem")
        with self.assertRaisesRegex(ValueError, "to: must be given"):
            tasks.Swap()


if __name__ == "__main__":
    unittest.main()
