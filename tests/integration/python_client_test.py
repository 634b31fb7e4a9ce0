#!/usr/bin/env python3
"""The Python package against the real server: every method, blocking and with asyncio, gives
what the command line gives with --json."""
import asyncio
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import python_package  # noqa: F401  pylint: disable=unused-import
from alignsae_server import (BIN, SOURCE, Server, ServerTest, eventually, main,
                             make_certificate)
from google.protobuf import json_format

import alignsae
from alignsae import _wire, answers, batch, tasks

SAME = {"request_id": "same", "timeout": 60}


def typed(name, value):
    """The dataclass of a message that is written as JSON."""
    return answers.from_message(json_format.ParseDict(value, _wire.message(name)()))


def told(answer):
    """All of an answer, but for the id of its receipts, which no other call has."""
    return re.sub(r"receipt_id='[0-9a-f]{16}'", "receipt_id", repr(answer))


class PythonClientTest(ServerTest):
    flags = ("--whole-sae",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.question = cls.by_name["birth_city"].example
        cls.client = alignsae.Client(cls.server.target, **SAME)
        cls.addClassCleanup(cls.client.close)

    def cli(self, *words):
        """What the command line prints: a list of JSON values."""
        done = subprocess.run(
            [BIN / "alignsae", f"--server={self.server.target}", "--request-id=same", "--json",
             *words], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        decoder, left, found = json.JSONDecoder(), done.stdout.strip(), []
        while left:
            value, end = decoder.raw_decode(left)
            found.append(value)
            left = left[end:].lstrip()
        return found

    def by_asyncio(self, method, *args, **kwargs):
        """The answer of AsyncClient: of a stream, the list of its events."""
        async def ask():
            async with alignsae.AsyncClient(self.server.target, **SAME) as client:
                answer = getattr(client, method)(*args, **kwargs)
                if hasattr(answer, "__aiter__"):
                    return [event async for event in answer]
                return await answer
        return asyncio.run(ask())

    def check(self, message, words, method, *args, **kwargs):
        """A unary method and its command say the same, blocking and not."""
        [value] = self.cli(*words)
        expected = typed(message, value)
        self.assertEqual(told(getattr(self.client, method)(*args, **kwargs)), told(expected))
        self.assertEqual(told(self.by_asyncio(method, *args, **kwargs)), told(expected))
        return expected

    def check_stream(self, message, words, method, *args, **kwargs):
        """As check, of a stream; sorted, for what comes first of two cells is chance."""
        expected = [answers.event_of(json_format.ParseDict(value, _wire.message(message)()))
                    for value in self.cli(*words)]
        expected.sort(key=told)
        # One after the other: beside another request a reading's last bits may differ.
        for ask in (lambda: list(getattr(self.client, method)(*args, **kwargs)),
                    lambda: self.by_asyncio(method, *args, **kwargs)):
            self.assertEqual([told(event) for event in sorted(ask(), key=told)],
                             [told(event) for event in expected])
        return expected

    def test_model_and_concepts(self):
        found = self.check("GetModelResponse", ["model"], "model")
        self.assertGreater(found.limits.max_new_tokens, 0)
        self.assertEqual(str(found.checkpoints[0].hook_point), "resid_mid[0]")
        found = self.check("ListConceptsResponse", ["concepts"], "concepts")
        self.assertEqual(found["birth_city"].example, self.question)

    def test_tokenize_and_detokenize(self):
        found = self.check("TokenizeResponse", ["tokenize", self.question], "tokenize",
                           self.question)
        self.check("TokenizeResponse", ["tokenize", "--raw", "a b"], "tokenize",
                   alignsae.Text("a b"))
        ids = [token.id for token in found.tokens]
        self.assertEqual(self.client.detokenize(ids).text, found.text)
        self.assertEqual(self.by_asyncio("detokenize", ids).text, found.text)

    def test_read(self):
        other = self.by_name["major"].example
        found = self.check("ReadConceptsResponse", ["read", self.question, other], "read",
                           [self.question, other])
        self.assertEqual([reading.top_concept for reading in found], ["birth_city", "major"])
        self.assertAlmostEqual(sum(found.probabilities(1).values()), 1, places=5)
        self.check("ReadConceptsResponse", ["read", "--ids", "5,6,7", "--position=-2"], "read",
                   [5, 6, 7], position=-2)

    def test_validate(self):
        *_, report = self.client.validate(max_swaps=4)
        self.assertEqual(report.swap.tries, 4)
        self.assertGreater(report.read.rate, 0.9)
        *_, report = self.client.validate([
            {"prompt": "Tell me Beth Roach's birthday.", "concept_name": "birth_date"},
            {"prompt": "What is the capital of Italy?"}])
        self.assertEqual((report.read.successes, report.abstention.tries), (1, 1))
        self.assertIsNone(report.swap)

    def test_inspect(self):
        found = self.check("InspectSlotsResponse", ["inspect", self.question, "--features=3",
                                                    "--positions=window:1:4"],
                           "inspect", self.question, top_k=3, positions=slice(1, 4))
        self.assertEqual([len(token.features.top_features) for token in found.tokens], [3, 3, 3])
        self.check("InspectSlotsResponse", ["inspect", self.question, "--features=0"], "inspect",
                   self.question, top_k=0)

    def test_explain(self):
        found = self.check("ExplainSlotResponse", ["explain", "employer", "--top=4"], "explain",
                           "employer", top_k=4)
        self.assertEqual(found.concept_name, "employer")
        for effect in (found.with_ln_f, found.without_ln_f):
            self.assertEqual((len(effect.top), len(effect.bottom)), (4, 4))
            self.assertGreater(effect.top[0].logit, effect.bottom[0].logit)
        self.check("ExplainSlotResponse", ["explain", "#40"], "explain", 40)

    def test_swap(self):
        found = self.check(
            "SwapResponse", ["swap", self.question, "--to=employer", "--seed=7", "-n", "8",
                             "--logprobs=2", "--prompt-logprobs=1"],
            "swap", self.question, to="employer", seed=7, max_new_tokens=8, top_logprobs=2,
            prompt_logprobs=1)
        self.assertIsNone(found.baseline.prompt_tokens[0].logprob)
        self.assertLess(found.baseline.prompt_tokens[1].logprob, 0)
        self.assertNotEqual(found.baseline.text, found.steered.text)
        self.assertEqual(found.steered.receipts[0].effects[0].source_concept, "birth_city")

    def test_conditions_guards_and_side_effects(self):
        found = self.check(
            "SwapResponse", ["swap", self.question, "--to=employer", "--seed=7", "--side-effects",
                             "--when=birth_city", "--max-kl=1000", "--abort-when=birth_city>9e9"],
            "swap", self.question, to="employer", seed=7, side_effects=True, when="birth_city",
            guard={"max_kl": 1000}, abort_when="birth_city>9e9")
        self.assertTrue(found.steered.receipts[0].condition)
        self.assertEqual(len(found.steered.side_effects.kl), len(found.steered.tokens))
        self.assertIsNone(found.steered.guard_stop)
        found = self.client.complete(self.question, "swap:employer",
                                     guard={"max_norm_ratio": 1e-6})
        self.assertEqual((found.arms[0].finish_reason, found.arms[0].guard_stop.limit),
                         ("GUARD", "NORM_RATIO"))

    def test_generate_and_complete(self):
        edits = ["swap:birth_city>major@1.5", "ablate:#4"]
        sampling = {"temperature": 0.8, "seed": 3, "max_new_tokens": 6, "concept_trace": True,
                    "frequency_penalty": 0.5, "presence_penalty": -0.5, "min_new_tokens": 2,
                    "logit_bias": {5: -1.5, 7: 2}, "prompt_logprobs": 0}
        events = self.check_stream(
            "GenerateResponse", ["generate", self.question, f"--edit={edits[0]}",
                                 f"--edit={edits[1]}", "--both", "--temperature=0.8", "--seed=3",
                                 "-n", "6", "--trace", "--frequency-penalty=0.5",
                                 "--presence-penalty=-0.5", "--min-new-tokens=2",
                                 "--logit-bias=5=-1.5", "--logit-bias=7=2",
                                 "--prompt-logprobs=0"],
            "generate", self.question, edits, arms="both", **sampling)
        [summary] = [e for e in events if isinstance(e, alignsae.answers.GenerationSummary)]
        whole = self.client.complete(self.question, edits, arms="both", **sampling)
        again = self.by_asyncio("complete", self.question, edits, arms="both", **sampling)
        self.assertEqual(told(whole), told(again))
        self.assertEqual([arm.text for arm in whole.arms], [arm.text for arm in summary.arms])
        self.assertEqual(whole.text, whole.arms[1].text)

    def test_a_stream_can_be_left(self):
        with self.client.generate(self.question, max_new_tokens=90, ignore_eos=True) as stream:
            self.assertIsInstance(next(stream), alignsae.answers.GenerationStarted)
        with self.assertRaises(alignsae.CallCancelledError):
            list(stream)
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_rpc_in_flight", method="SteeringService/Generate") == 0))

    def test_sweep(self):
        words = ["sweep", self.question, "--to=employer,major", "--alphas=0.5,2", "--seed=1"]
        arguments = (self.question, ["employer", "major"], [0.5, 2])
        self.check_stream("SweepAlphaResponse", words, "sweep_events", *arguments, seed=1)
        self.check_stream("SweepAlphaResponse", [*words, "--when=!birth_city"], "sweep_events",
                          *arguments, seed=1, when="!birth_city")
        found = self.client.sweep(*arguments, seed=1)
        self.assertEqual(told(found), told(self.by_asyncio("sweep", *arguments, seed=1)))
        self.assertEqual([(cell.target, cell.alpha) for cell in found.cells], [
            ("", 0.0), ("employer", 0.5), ("employer", 2), ("major", 0.5), ("major", 2)])

    def test_matrix(self):
        words = ["matrix", self.question, "--concepts=employer,major,birth_city",
                 "--expect=major=x", "--seed=1", "--when=birth_city"]
        arguments = (self.question, ["employer", "major", "birth_city"])
        named = {"expected": {"major": "x"}, "seed": 1, "when": "birth_city"}
        self.check_stream("SwapMatrixResponse", words, "matrix_events", *arguments, **named)
        found = self.client.matrix(*arguments, **named)
        self.assertEqual(told(found), told(self.by_asyncio("matrix", *arguments, **named)))
        self.assertEqual((len(found.cells), found.summary.expected_count), (7, 2))
        self.assertEqual(len(found.texts()), 6)

    def test_find_alpha(self):
        goal = self.client.swap(self.question, "employer").steered.text
        words = ["find-alpha", self.question, "--to=employer", f"--answer={goal}", "--seed=1",
                 "--max-tries=12", "--max-kl=1e-6", "--when=birth_city"]
        found = self.check("FindAlphaResponse", words, "find_alpha", self.question, "employer",
                           answer=goal, seed=1, max_tries=12, guard={"max_kl": 1e-6},
                           when="birth_city")
        self.assertIsNone(found.largest)
        self.assertEqual({tried.result.guard_stop.limit for tried in found.tries}, {"KL"})

    def test_refusals_are_typed(self):
        with self.assertRaises(alignsae.NotFoundError) as caught:
            self.client.swap(self.question, to="no_such")
        self.assertEqual((caught.exception.reason, caught.exception.request_id),
                         ("UNKNOWN_NAME", "same"))
        with self.assertRaises(alignsae.InvalidArgumentError) as caught:
            self.client.complete(self.question, top_p=1.5)
        self.assertEqual(caught.exception.violations, [alignsae.FieldViolation(
            "generation.top_p", "must be in (0, 1]", "1.5")])

    def test_a_corpus(self):
        examples = [row.example for row in self.concepts]
        with tempfile.TemporaryDirectory() as folder:
            corpus = pathlib.Path(folder) / "corpus.jsonl"
            out = pathlib.Path(folder) / "out.jsonl"
            corpus.write_text("".join(json.dumps({"question": text}) + "\n"
                                      for text in [*examples, ""]))
            report = batch.run(corpus, out, tasks.Read(), self.server.target, progress=False)
            self.assertEqual((report.rows, report.errors), (len(examples) + 1, 1))
            rows = [json.loads(line) for line in out.read_text().splitlines()]
            self.assertEqual([row["answer"]["top_concept"] for row in rows[:-1]],
                             [row.name for row in self.concepts])
            self.assertEqual(rows[-1]["error"]["code"], "INVALID_ARGUMENT")
            swapped = pathlib.Path(folder) / "swapped.jsonl"
            batch.run(corpus, swapped, tasks.Swap(to="employer", max_new_tokens=4),
                      self.server.target, progress=False)
            rows = [json.loads(line) for line in swapped.read_text().splitlines()]
            self.assertNotEqual(rows[0]["answer"]["baseline"], rows[0]["answer"]["steered"])


class TwoServersTest(ServerTest):
    def test_servers_take_turns_and_one_that_drains_is_not_missed(self):
        other = Server("--lame-duck-seconds=1")
        self.addCleanup(other.close)
        servers = [self.server, other]

        def served():
            return [server.metric("alignsae_rpc_requests_total", method="ConceptService/ReadConcepts",
                                  code="OK") for server in servers]
        question = self.by_name["major"].example
        # Nothing is tried again: the one that drains must be left out before it refuses.
        with alignsae.Client(",".join(server.target for server in servers), timeout=60,
                             retries=alignsae.Retries(max_attempts=1)) as client:
            self.assertTrue(eventually(lambda: client.read(question) and all(
                server.metric("alignsae_rpc_requests_total", method="ConceptService/ReadConcepts") > 0
                for server in servers)))
            before = served()
            for _ in range(20):
                client.read(question)
            self.assertEqual([now - then for now, then in zip(served(), before)], [10, 10])
            other.terminate()
            while other.process.poll() is None:
                client.read(question)
            client.read(question)


class TlsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("server", "client"):
            make_certificate(folder.name, name)

    def start(self, *flags):
        server = Server(f"--tls-cert={self.folder}/server.pem",
                        f"--tls-key={self.folder}/server.key", *flags)
        self.addCleanup(server.close)
        return server

    def layers(self, target, **options):
        with alignsae.Client(target, timeout=10, retries=alignsae.Retries(max_attempts=1),
                             tls_ca=f"{self.folder}/server.pem", **options) as client:
            return client.model().model.n_layer

    def test_the_server_and_the_client_prove_who_they_are(self):
        server = self.start(f"--tls-client-ca={self.folder}/client.pem")
        mine = {"tls_cert": f"{self.folder}/client.pem", "tls_key": f"{self.folder}/client.key"}
        self.assertGreater(self.layers(server.target, **mine), 0)
        with self.assertRaises(alignsae.UnavailableError):
            self.layers(server.target)

    def test_several_servers_share_a_name(self):
        servers = [self.start(), self.start()]
        target = ",".join(server.target for server in servers)
        self.assertGreater(self.layers(target, tls_name="localhost"), 0)
        with self.assertRaises(alignsae.UnavailableError):
            self.layers(target, tls_name="elsewhere")

        async def layers():
            async with alignsae.AsyncClient(target, tls_ca=f"{self.folder}/server.pem",
                                            tls_name="localhost") as client:
                return (await client.model()).model.n_layer
        self.assertGreater(asyncio.run(layers()), 0)


class ExampleTest(ServerTest):
    flags = ("--whole-sae",)

    def test_the_notebook_runs(self):
        done = subprocess.run(
            [sys.executable, SOURCE / "client/python/examples/steer.py"], capture_output=True,
            text=True, timeout=120, check=False,
            env={**os.environ, "ALIGNSAE_SERVER": self.server.target, "MPLBACKEND": "Agg",
                 "PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("is about birth_city", done.stdout)
        self.assertIn("employer at 1: ", done.stdout)


if __name__ == "__main__":
    main()
