#!/usr/bin/env python3
"""Many clients at once, clients that go away, deadlines, readers that do not read."""
import concurrent.futures

import grpc
from alignsae_server import (Server, ServerTest, common, eventually, generation, intervention,
                             main, model, steering, swap_edit)


class ConcurrencyTest(ServerTest):
    flags = ("--kv-slots=8",)

    def long_request(self, **config):
        return steering.GenerateRequest(
            prompt=self.example(), generation=generation.GenerationConfig(
                max_new_tokens=config.pop("max_new_tokens", 90), ignore_eos=True, **config))

    def assertIdle(self):
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_queue_depth") == 0))

    def test_32_clients_get_the_answers_of_one_at_a_time(self):
        names = [row.name for row in self.concepts]
        requests = []
        for i in range(32):
            source, target = names[i % 6], names[(i + 1 + i // 6 % 5) % 6]
            edits = [] if i % 4 == 0 else [swap_edit(source, target, 0.5 + i % 3)]
            requests.append(steering.CompleteRequest(
                prompt=self.example(source), interventions=edits,
                arms=generation.ARM_SELECTION_BOTH if edits and i % 2 else
                generation.ARM_SELECTION_UNSPECIFIED,
                generation=generation.GenerationConfig(
                    max_new_tokens=6 + i % 11, seed=i, temperature=(i % 3) * 0.7)))

        def answer(request):
            api = self.server.api()  # Its own connection.
            try:
                arms = api.steering.Complete(request, timeout=50).arms
                return [([t.id for t in arm.tokens], arm.text, arm.finish_reason) for arm in arms]
            finally:
                api.close()

        alone = [answer(request) for request in requests]
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            together = list(pool.map(answer, requests))
        self.assertEqual(together, alone)
        self.assertIdle()

    def test_cancel_in_mid_stream_frees_the_slot(self):
        before = self.server.metric("alignsae_generated_tokens_total")
        for tokens_read in (1, 5, 20):
            stream = self.api.steering.Generate(self.long_request(), timeout=30)
            seen = 0
            for event in stream:
                seen += event.WhichOneof("event") == "token"
                if seen == tokens_read:
                    break
            stream.cancel()
            with self.assertRaises(grpc.RpcError) as caught:
                list(stream)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.CANCELLED)
        self.assertIdle()
        made = self.server.metric("alignsae_generated_tokens_total") - before
        self.assertLess(made, 3 * 90)  # Computing stopped with the cancel.

    def test_expired_deadline_ends_the_call_and_the_work(self):
        with self.assertRaises(grpc.RpcError) as caught:
            list(self.api.steering.Generate(self.long_request(), timeout=0.001))
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertIdle()
        answer = self.api.steering.Complete(
            steering.CompleteRequest(prompt=self.example()), timeout=20)
        self.assertTrue(answer.arms[0].text)

    def test_a_neighbour_that_blows_up_harms_nobody(self):
        wild = steering.CompleteRequest(
            prompt=self.example(), interventions=[intervention.Intervention(
                mode=intervention.INTERVENTION_MODE_ADD, alpha=1e38,
                target=common.ConceptRef(name="employer"))])
        good = steering.CompleteRequest(prompt=self.example())
        expected = self.api.steering.Complete(good, timeout=20).arms[0]
        for _ in range(5):
            doomed = self.api.steering.Complete.future(wild, timeout=20)
            answers = [self.api.steering.Complete.future(good, timeout=20) for _ in range(6)]
            self.assertEqual(doomed.code(), grpc.StatusCode.OUT_OF_RANGE)
            self.assertIn("must leave the logits finite", doomed.details())
            for answer in answers:
                arm = answer.result().arms[0]
                self.assertEqual(arm.text, expected.text)
                self.assertAlmostEqual(arm.total_logprob, expected.total_logprob, places=3)

    def test_calls_that_need_no_model_answer_while_it_is_busy(self):
        streams = [self.api.steering.Generate(self.long_request(), timeout=60)
                   for _ in range(8)]
        for stream in streams:
            next(stream)
        answer = self.api.model.Tokenize(model.TokenizeRequest(text="Hello"), timeout=5)
        self.assertTrue(answer.tokens)
        for stream in streams:
            stream.cancel()
        self.assertIdle()


class OverloadTest(ServerTest):
    flags = ("--kv-slots=2", "--max-queued-sequences=3", "--max-prompts-per-batch=2")

    def test_a_full_queue_refuses_with_a_time_to_come_back(self):
        request = steering.CompleteRequest(
            prompt=self.example(), generation=generation.GenerationConfig(
                max_new_tokens=90, ignore_eos=True))
        # Without the client library's own retries.
        api = self.server.api(**{"grpc.enable_retries": 0})
        calls = [api.steering.Complete.future(request, timeout=60) for _ in range(40)]
        refused = [c for c in calls if c.code() == grpc.StatusCode.RESOURCE_EXHAUSTED]
        served = [c for c in calls if c.code() == grpc.StatusCode.OK]
        self.assertEqual(len(refused) + len(served), 40)
        self.assertGreater(len(refused), 0)
        # Those that may wait; the slots' own two come on top only if the step thread
        # gets to run between two calls.
        self.assertGreaterEqual(len(served), 3)
        trailers = dict(refused[0].trailing_metadata())
        self.assertGreater(int(trailers["grpc-retry-pushback-ms"]), 0)
        details = trailers["grpc-status-details-bin"]
        self.assertIn(b"google.rpc.RetryInfo", details)
        self.assertIn(b"google.rpc.ErrorInfo", details)
        self.assertEqual(self.server.metric("alignsae_rejected_total"), len(refused))
        api.close()


class SlowReaderTest(ServerTest):
    def test_a_reader_that_does_not_read_holds_nobody_up(self):
        # A window of 64 KiB fills with messages that nobody takes.
        api = self.server.api(**{"grpc.http2.lookahead_bytes": 1024})
        stream = api.steering.Generate(steering.GenerateRequest(
            prompt=self.example(), generation=generation.GenerationConfig(
                max_new_tokens=90, ignore_eos=True, top_logprobs=20, concept_trace=True)),
            timeout=50)
        answer = self.api.steering.Complete(
            steering.CompleteRequest(prompt=self.example()), timeout=20)
        self.assertTrue(answer.arms[0].text)
        stream.cancel()
        api.close()
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))


if __name__ == "__main__":
    main()
