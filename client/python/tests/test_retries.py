"""What is tried again, when, and how often: alone, and against a server that refuses."""
import asyncio
import pickle
import threading
import time
import unittest

import grpc

import alignsae
from alignsae import _wire, retries
from fake_server import FakeServer, reading, refusal

READ, GENERATE = "ConceptService/ReadConcepts", "SteeringService/Generate"
BUSY, AWAY = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE


def busy(**facts):
    return alignsae.BusyError("RESOURCE_EXHAUSTED", "full", **facts)


def away(**facts):
    return alignsae.UnavailableError("UNAVAILABLE", "gone", **facts)


class AttemptsTest(unittest.TestCase):
    def attempts(self, policy=alignsae.Retries(), timeout=30.0, budget=None):
        self.now = 0.0
        return retries.Attempts(policy, budget or retries.Budget(policy.budget), timeout,
                                clock=lambda: self.now)

    def test_never_sooner_than_the_server_says(self):
        for _ in range(20):
            pause = self.attempts().pause(busy(retry_after=0.4))
            self.assertGreaterEqual(pause, 0.4)
            self.assertLessEqual(pause, 0.4 + 0.1)

    def test_only_what_may_be_tried_again(self):
        self.assertIsNone(self.attempts().pause(busy()))
        self.assertIsNone(self.attempts().pause(busy(retry_after=1, retry_forbidden=True)))
        self.assertIsNone(self.attempts().pause(away(retry_forbidden=True)))
        self.assertIsNone(self.attempts().pause(
            alignsae.InvalidArgumentError("INVALID_ARGUMENT", "no", retry_after=1)))
        self.assertIsNotNone(self.attempts().pause(away()))

    def test_pauses_grow_to_their_limit(self):
        attempts = self.attempts(alignsae.Retries(max_attempts=9))
        pauses = [attempts.pause(away()) for _ in range(8)]
        for i, pause in enumerate(pauses):
            longest = min(2.0, 0.1 * 2 ** i)
            self.assertTrue(longest / 2 <= pause <= longest, (i, pause))
        self.assertIsNone(attempts.pause(away()))

    def test_not_past_the_deadline(self):
        attempts = self.attempts(timeout=3.0)
        self.assertIsNone(attempts.pause(busy(retry_after=3.0)))
        self.now = 2.5
        self.assertIsNone(attempts.pause(busy(retry_after=0.5)))
        self.assertIsNotNone(attempts.pause(busy(retry_after=0.2)))
        self.assertAlmostEqual(attempts.left(), 0.5)

    def test_a_budget_is_shared_and_refilled_by_success(self):
        budget = retries.Budget(2)
        spend = [self.attempts(budget=budget).pause(away()) for _ in range(3)]
        self.assertEqual([pause is None for pause in spend], [False, False, True])
        for _ in range(10):
            self.attempts(budget=budget).succeeded()
        self.assertIsNotNone(self.attempts(budget=budget).pause(away()))
        self.assertIsNone(self.attempts(budget=budget).pause(away()))

    def test_without_a_budget_there_is_no_limit(self):
        budget = retries.Budget(0)
        self.assertTrue(all(budget.take() for _ in range(100)))


class ServedTest(unittest.TestCase):
    def serve(self, method, answer, **options):
        server = FakeServer({method: answer})
        self.addCleanup(server.close)
        client = alignsae.Client(server.target, **options)
        self.addCleanup(client.close)
        return server, client

    def after(self, times, good, **facts):
        """Refuses `times` calls, then answers."""
        calls = []

        def answer(request, context):
            calls.append(time.monotonic())
            if len(calls) <= times:
                refusal(context, facts.get("code", BUSY), "full", reason="QUEUE_FULL",
                        **{key: value for key, value in facts.items() if key != "code"})
            return good(request, context)
        return calls, answer

    def test_the_time_of_retry_info_is_kept(self):
        calls, answer = self.after(2, reading, retry_after=0.3)
        server, client = self.serve(READ, answer, timeout=9)
        self.assertEqual(client.read("b")[0].top_concept, "b")
        self.assertEqual(len(calls), 3)
        self.assertGreaterEqual(calls[1] - calls[0], 0.3)
        self.assertGreaterEqual(calls[2] - calls[1], 0.3)
        # One deadline for all tries; gRPC rounds it up.
        self.assertLess(server.seen[2][2], 9 - 0.6 + 0.2)

    def test_pushback_is_kept_and_a_negative_one_forbids(self):
        calls, answer = self.after(1, reading, trailers=(("grpc-retry-pushback-ms", "300"),))
        _, client = self.serve(READ, answer)
        client.read("a")
        self.assertGreaterEqual(calls[1] - calls[0], 0.3)
        calls, answer = self.after(1, reading, retry_after=0.01,
                                   trailers=(("grpc-retry-pushback-ms", "-1"),))
        _, client = self.serve(READ, answer)
        with self.assertRaises(alignsae.BusyError):
            client.read("a")
        self.assertEqual(len(calls), 1)

    def test_errors_are_typed_and_say_all(self):
        def answer(_, context):
            refusal(context, grpc.StatusCode.INVALID_ARGUMENT,
                    "generation.top_p: must be in (0, 1], got 1.5", reason="INVALID_FIELD")
        _, client = self.serve(READ, answer)
        with self.assertRaises(alignsae.InvalidArgumentError) as caught:
            client.read("a")
        error = pickle.loads(pickle.dumps(caught.exception))
        self.assertEqual((error.code, error.reason, error.request_id),
                         ("INVALID_ARGUMENT", "INVALID_FIELD", "r1"))
        self.assertEqual(error.violations, [
            alignsae.FieldViolation("generation.top_p", "must be in (0, 1]", "1.5")])
        self.assertEqual(str(error), str(caught.exception))

    def test_details_that_are_none_do_not_hide_the_status(self):
        def answer(_, context):
            context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
            context.abort(grpc.StatusCode.NOT_FOUND, "nothing")
        _, client = self.serve(READ, answer)
        with self.assertRaises(alignsae.NotFoundError) as caught:
            client.read("a")
        self.assertEqual((caught.exception.reason, caught.exception.retry_after), ("", None))

    def test_the_deadline_holds_and_is_always_set(self):
        never = threading.Event()
        self.addCleanup(never.set)
        server, client = self.serve(READ, lambda *_: never.wait(60), timeout=0.5)
        with self.assertRaises(alignsae.DeadlineError):
            client.read("a")
        self.assertLess(server.seen[0][2], 1)  # gRPC rounds it up.

    def test_metadata_goes_along(self):
        server, client = self.serve(READ, reading, client_id="me", token="secret")
        client.with_options(request_id="r7").read("a")
        metadata = server.seen[0][1]
        self.assertEqual((metadata["x-client-id"], metadata["x-request-id"],
                          metadata["authorization"]), ("me", "r7", "Bearer secret"))

    def events(self, *names):
        for name in names:
            message = _wire.message("GenerateResponse")()
            getattr(message, name).SetInParent()
            yield message

    def test_a_stream_is_tried_again_until_something_came(self):
        calls, answer = self.after(1, lambda *_: self.events("started", "summary"),
                                   retry_after=0.05)
        _, client = self.serve(GENERATE, lambda *call: (yield from answer(*call)))
        self.assertEqual([type(event).__name__ for event in client.generate("a")],
                         ["GenerationStarted", "GenerationSummary"])
        self.assertEqual(len(calls), 2)

    def test_a_stream_that_breaks_is_not_begun_anew(self):
        def answer(_, context):
            yield from self.events("started")
            refusal(context, AWAY, "drains", reason="DRAINING", retry_after=0.01)
        server, client = self.serve(GENERATE, answer)
        stream = client.generate("a")
        next(stream)
        with self.assertRaises(alignsae.UnavailableError):
            next(stream)
        self.assertEqual(len(server.seen), 1)

    def test_asyncio_does_all_of_it(self):
        calls, answer = self.after(1, reading, retry_after=0.3)
        began, streamed = self.after(1, lambda *_: self.events("started", "summary"),
                                     retry_after=0.05)
        server = FakeServer({READ: answer, GENERATE: lambda *c: (yield from streamed(*c))})
        self.addCleanup(server.close)

        async def ask():
            async with alignsae.AsyncClient(server.target) as client:
                read = await client.read("b")
                events = [type(event).__name__ async for event in client.generate("a")]
                with self.assertRaises(alignsae.ServerError) as caught:
                    await client.model()  # The fake has no such method.
                return read, events, caught.exception.code
        read, events, code = asyncio.run(ask())
        self.assertEqual(read[0].top_concept, "b")
        self.assertGreaterEqual(calls[1] - calls[0], 0.3)
        self.assertEqual(events, ["GenerationStarted", "GenerationSummary"])
        self.assertEqual((len(began), code), (2, "UNIMPLEMENTED"))


if __name__ == "__main__":
    unittest.main()
