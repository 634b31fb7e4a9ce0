"""A corpus over one call: in order, whole, and bounded, whatever the server does."""
import contextlib
import io
import itertools
import json
import pathlib
import tempfile
import threading
import unittest

import grpc

import alignsae
from alignsae import _wire, batch, streams, tasks
from fake_server import FakeServer, careful, reading, refusal

READ = "ConceptService/ReadConcepts"
STREAM = "ConceptService/ReadConceptsStream"
FAST = alignsae.Retries(max_attempts=20, first_pause=0.01, max_pause=0.02, budget=0)


def answer_to(index, request):
    """As the server: one bad prompt fails the request."""
    response = _wire.message("ReadConceptsStreamResponse")(index=index)
    for i, prompt in enumerate(request.read.prompts):
        if not prompt.question:
            response.error.code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
            response.error.reason = "INVALID_FIELD"
            response.error.message = f"prompts[{i}].question: must not be empty, got \"\""
            return response
    response.answer.CopyFrom(reading(request.read))
    return response


def in_order(requests, _):
    for index, request in enumerate(requests):
        yield answer_to(index, request)


class StreamsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def serve(self, stream):
        served = _wire.message("GetModelResponse")(model={"sha256": "0"})
        methods = {READ: careful, "ModelService/GetModel": lambda *_: served}
        if stream is not None:
            methods[STREAM] = stream
        server = FakeServer(methods)
        self.addCleanup(server.close)
        return server

    def batch(self, server, rows):
        corpus = self.folder / "corpus.jsonl"
        corpus.write_text("".join(json.dumps(row) + "\n" for row in rows))
        out = self.folder / "out.jsonl"
        report = batch.run(corpus, out, tasks.Read(), server.target, progress=False, retries=FAST)
        return report, [json.loads(line) for line in out.read_text().splitlines()]

    def methods(self, server):
        return [name for name, _, _ in server.seen if name != "ModelService/GetModel"]

    def test_one_call_reads_all_of_it(self):
        server = self.serve(in_order)
        report, lines = self.batch(
            server, [{"i": i, "question": "ab"[i % 2]} for i in range(200)])
        self.assertEqual((report.rows, report.errors), (200, 0))
        self.assertEqual([line["i"] for line in lines], list(range(200)))
        self.assertTrue(all(line["answer"]["top_concept"] == line["question"] for line in lines))
        self.assertEqual(self.methods(server), [STREAM])

    def test_answers_in_any_order_are_given_out_in_the_rows_own(self):
        def backwards(requests, _):
            numbered = enumerate(requests)
            while part := list(itertools.islice(numbered, 3)):
                for index, request in reversed(part):
                    yield answer_to(index, request)
        _, lines = self.batch(self.serve(backwards),
                              [{"i": i, "question": "ab"[i % 3 == 0]} for i in range(320)])
        self.assertEqual([line["i"] for line in lines], list(range(320)))
        self.assertTrue(all(line["answer"]["top_concept"] == line["question"] for line in lines))

    def test_a_bad_row_is_told_and_its_neighbours_are_read(self):
        rows = [{"question": "a"}] * 40 + [{"question": ""}, {"text": "b"}] + [{"question": "b"}] * 40
        report, lines = self.batch(self.serve(in_order), rows)
        self.assertEqual((report.rows, report.errors), (82, 2))
        self.assertEqual([line["error"] and line["error"]["reason"] for line in lines[39:43]],
                         [None, "INVALID_FIELD", "BAD_ROW", None])

    def test_rows_without_a_prompt_need_no_request(self):
        report, _ = self.batch(self.serve(in_order), [{"text": "a"}] * 70)
        self.assertEqual((report.rows, report.errors), (70, 70))

    def test_a_server_that_goes_is_followed_and_nothing_is_lost_or_twice(self):
        ends = []

        def fragile(requests, context):
            for index, request in enumerate(requests):
                if index == 3 and len(ends) < 4:
                    ends.append(index)
                    refusal(context, grpc.StatusCode.UNAVAILABLE, "draining", reason="DRAINING")
                yield answer_to(index, request)
        server = self.serve(fragile)
        _, lines = self.batch(server, [{"i": i, "question": "ab"[i % 2]} for i in range(640)])
        self.assertEqual([line["i"] for line in lines], list(range(640)))
        self.assertTrue(all(line["answer"]["top_concept"] == line["question"] for line in lines))
        self.assertEqual(self.methods(server), [STREAM] * 5)

    def test_a_server_without_it_is_asked_with_single_calls(self):
        server, told = self.serve(None), io.StringIO()
        with contextlib.redirect_stderr(told):
            _, lines = self.batch(server, [{"i": i, "question": "a"} for i in range(100)])
        self.assertEqual([line["i"] for line in lines], list(range(100)))
        self.assertIn("has no ReadConceptsStream; it is asked with single calls", told.getvalue())
        self.assertEqual(set(self.methods(server)), {READ})

    def test_what_is_no_rows_fault_stops_the_run(self):
        def gone(requests, context):
            next(requests)
            refusal(context, grpc.StatusCode.NOT_FOUND, "no such checkpoint")
            yield
        with self.assertRaises(alignsae.NotFoundError):
            self.batch(self.serve(gone), [{"question": "a"}])

    def test_no_more_is_taken_of_the_corpus_than_may_be_held(self):
        seen, hold = [], threading.Event()

        def slow(requests, context):
            for index, request in enumerate(requests):
                seen.append(index)
                if len(seen) >= streams.MOST_CHUNKS:
                    hold.wait(10)
                if index > 0:
                    yield answer_to(index, request)
                else:
                    first = request
            yield answer_to(0, first)
        taken = []

        def chunks():
            for i in range(100):
                taken.append(i)
                yield [{"question": "a"}]
        with alignsae.Client(self.serve(slow).target) as client:
            made = []

            def read():
                with contextlib.suppress(alignsae.CallCancelledError):
                    made.extend(streams.Reader(client, tasks.Read(), chunks()))
            reader = threading.Thread(target=read)
            reader.start()
            reader.join(1.5)  # The first is unanswered, so nothing is given out.
            self.assertEqual(len(taken), streams.MOST_CHUNKS)
            self.assertEqual(made, [])
            hold.set()
            client.close()
            reader.join(10)

    def test_an_error_of_one_request_has_its_facts(self):
        def full(requests, _):
            for index, _request in enumerate(requests):
                response = _wire.message("ReadConceptsStreamResponse")(index=index)
                response.error.code, response.error.reason = 8, "QUEUE_FULL"
                response.error.message, response.error.retry_after_ms = "server: is full", 250
                yield response
        with alignsae.Client(self.serve(full).target) as client:
            [(index, error)] = client.read_stream([["a"]])
        self.assertEqual(index, 0)
        self.assertIsInstance(error, alignsae.BusyError)
        self.assertEqual((error.reason, error.retry_after), ("QUEUE_FULL", 0.25))


if __name__ == "__main__":
    unittest.main()
