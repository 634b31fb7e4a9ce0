#!/usr/bin/env python3
"""A seeded simulation of clients at the server's door.

Several clients at once do a random mix of everything that a client can do, over gRPC and at
the front door (http_steps.py): every RPC, answers taken, cancelled, timed out, half read or
not read at all, requests that break a rule, bytes that are no request, connections that end
in the middle. Then:

  - every call has ended, with a code that such a call may end with;
  - nothing is held: KV slots, queue, calls in flight, threads, descriptors, memory
    are where they were before;
  - the server counts as many calls as the clients made, and answers as before.

    door_simulation_test.py [--seed N] [--runs N] [--steps N]

A seed decides what each client does, in which order; when threads meet is the
machine's. Each run prints its seed. ctest runs a short form; `--runs 40 --steps 200`
is the long one.
"""
import argparse
import collections
import concurrent.futures
import random
import socket
import sys
import time
import unittest

import grpc
from http_steps import HttpSteps
from alignsae_server import (Server, ServerTest, common, concept, eventually, generation, health,
                             intervention, model, steering)

from alignsae.v1 import swap_matrix_pb2 as matrix

CLIENTS = 8
PATIENT = None  # The timeout of a call that waits for as long as it takes.
FLAGS = argparse.Namespace(seed=1, runs=1, steps=40)
CODE = grpc.StatusCode

# A call may end so whatever it is: the queue was full, its time was over (not when it
# was PATIENT), its client left, its connection was closed under it.
ALWAYS = {CODE.RESOURCE_EXHAUSTED, CODE.DEADLINE_EXCEEDED, CODE.CANCELLED}
GOOD = ALWAYS | {CODE.OK}
BAD = ALWAYS | {CODE.INVALID_ARGUMENT, CODE.NOT_FOUND, CODE.OUT_OF_RANGE,
                CODE.FAILED_PRECONDITION}


class Requests:
    """Random requests. `good` ones keep every rule."""

    def __init__(self, rng, concepts, context):
        self.rng, self.concepts, self.context = rng, concepts, context

    def prompt(self):
        kind = self.rng.randrange(4)
        if kind == 0:
            return common.Prompt(token_ids=common.TokenIds(
                ids=[self.rng.randrange(500) for _ in range(self.rng.randint(1, 20))]))
        if kind == 1:
            return common.Prompt(text="".join(self.rng.choice("ab \n?é🙂") for _ in range(9)))
        return common.Prompt(question=self.rng.choice(self.concepts).example)

    def ref(self):
        chosen = self.rng.choice(self.concepts)
        return (common.ConceptRef(name=chosen.name) if self.rng.random() < 0.5
                else common.ConceptRef(slot=chosen.slot))

    def generation(self):
        return generation.GenerationConfig(
            max_new_tokens=self.rng.choice([1, 2, 5, 20, 60]),
            temperature=self.rng.choice([0, 0.7, 1.5]), top_k=self.rng.choice([0, 1, 40]),
            top_p=self.rng.choice([1, 0.9]), seed=self.rng.getrandbits(40),
            repetition_penalty=self.rng.choice([1, 1.3]),
            frequency_penalty=self.rng.choice([0, 0.5]),
            presence_penalty=self.rng.choice([0, -1]),
            logit_bias=self.rng.choice([{}, {5: -100, 7: 2}]),
            prompt_logprobs=self.rng.choice([None, 0, 4]), ignore_eos=self.rng.random() < 0.5,
            stop_sequences=self.rng.choice([[], ["."], ["zzz", " "]]),
            top_logprobs=self.rng.choice([0, 3]), concept_trace=self.rng.random() < 0.3)

    def edit(self):
        mode = self.rng.choice([intervention.INTERVENTION_MODE_ADD,
                                intervention.INTERVENTION_MODE_SET,
                                intervention.INTERVENTION_MODE_SWAP,
                                intervention.INTERVENTION_MODE_ABLATE])
        edit = intervention.Intervention(mode=mode, target=self.ref())
        if mode != intervention.INTERVENTION_MODE_ABLATE:
            edit.alpha = self.rng.uniform(0, 3)
        edit.positions.prompt = self.rng.choice([intervention.PROMPT_SELECTION_LAST,
                                                 intervention.PROMPT_SELECTION_ALL])
        edit.positions.generated = self.rng.random() < 0.5
        return edit

    def steered(self, kind):
        request = kind(prompt=self.prompt(), generation=self.generation())
        for _ in range(self.rng.randrange(3)):
            request.interventions.append(self.edit())
        if request.interventions and self.rng.random() < 0.5:
            request.arms = generation.ARM_SELECTION_BOTH
        return request

    def unary(self, api):
        """(method of the stub, good request)."""
        rng = self.rng
        return rng.choice([
            lambda: (api.model.GetModel, model.GetModelRequest()),
            lambda: (api.model.ListConcepts, model.ListConceptsRequest()),
            lambda: (api.model.Tokenize, model.TokenizeRequest(text="x" * rng.choice([1, 5000]))),
            lambda: (api.model.Detokenize, model.DetokenizeRequest(
                token_ids=[rng.randrange(500) for _ in range(rng.choice([1, 3000]))])),
            lambda: (api.concept.ReadConcepts, concept.ReadConceptsRequest(
                prompts=[self.prompt() for _ in range(rng.randint(1, 4))])),
            lambda: (api.concept.InspectSlots, concept.InspectSlotsRequest(prompt=self.prompt())),
            lambda: (api.steering.Swap, steering.SwapRequest(
                prompt=self.prompt(), target=self.ref(), generation=self.generation())),
            lambda: (api.steering.Complete, self.steered(steering.CompleteRequest)),
            lambda: (api.health.Check, health.HealthCheckRequest())])()

    def stream(self, api):
        if self.rng.random() < 0.6:
            return api.steering.Generate, self.steered(steering.GenerateRequest)
        if self.rng.random() < 0.3:
            pairs = matrix.SwapMatrixRequest(
                prompt=self.prompt(), generation=self.generation(),
                concepts=[common.ConceptRef(name=row.name) for row in self.rng.sample(
                    self.concepts, 2)])
            pairs.generation.concept_trace = False
            return api.steering.SwapMatrix, pairs
        sweep = steering.SweepAlphaRequest(
            prompt=self.prompt(), mode=intervention.INTERVENTION_MODE_SWAP,
            targets=[self.ref()], alphas=[0, 0.5, 1][:self.rng.randint(1, 3)],
            generation=self.generation())
        sweep.generation.concept_trace = False  # A sweep has none.
        return api.steering.SweepAlpha, sweep

    def bad(self, api):
        """(method, request) that breaks a rule."""
        rng = self.rng
        complete = self.steered(steering.CompleteRequest)
        broken = rng.randrange(8)
        if broken == 0:
            complete.generation.temperature = rng.choice([-1, float("nan"), float("inf")])
        elif broken == 1:
            complete.prompt.text = ""
        elif broken == 2:
            complete.prompt.token_ids.ids.extend([1] * (self.context + 1))
        elif broken == 3:
            complete.checkpoint = "no such"
        elif broken == 4:
            complete.interventions.add(mode=intervention.INTERVENTION_MODE_ADD, alpha=1,
                                       target=common.ConceptRef(name="nobody"))
        elif broken == 5:  # Found out by the model, in the middle of a step.
            complete.interventions.add(mode=intervention.INTERVENTION_MODE_ADD, alpha=1e38,
                                       target=self.ref())
        elif broken == 6:
            return api.concept.ReadConcepts, concept.ReadConceptsRequest()
        else:
            return api.model.Detokenize, model.DetokenizeRequest(token_ids=[-1])
        return api.steering.Complete, complete


class Client(HttpSteps):
    """One client of the simulation: a random number of steps over its connections, at both
    doors."""

    def __init__(self, seed, index, server, concepts, context):
        self.rng = random.Random(f"{seed}/{index}")
        self.server = server
        self.requests = Requests(self.rng, concepts, context)
        self.api = None
        self.calls = 0       # That the server counts.
        self.codes = collections.Counter()
        self.surprises = []  # What a step saw and should not have seen.
        self.name = f"client-{index % 3}"
        self.model_name = ""  # Told by the server.

    def connect(self):
        # Without the library's retries, and with a connection of its own.
        self.api = self.server.api(**{"grpc.enable_retries": 0,
                                      "grpc.use_local_subchannel_pool": 1})
        grpc.channel_ready_future(self.api.channel).result(timeout=20)
        self.model_name = self.api.model.GetModel(model.GetModelRequest(),
                                                  timeout=60).model.name
        self.calls += 1

    def run(self, steps):
        self.connect()
        for number in range(steps):
            step = self.rng.choices(
                [self.unary, self.stream, self.corpus, self.refused, self.garbage, self.watch, self.socket,
                 self.leave, self.burst, self.http_unary, self.http_stream, self.http_refused,
                 self.http_completion, self.http_socket],
                weights=[8, 8, 4, 4, 1, 1, 1, 1, 2, 4, 3, 2, 2, 2])[0]
            try:
                step()
            except Exception as error:  # pylint: disable=broad-except
                self.surprises.append(f"step {number} {step.__name__}: {error!r}")
        self.api.close()

    def expect(self, call, codes, what, timeout=PATIENT):
        """Waits for `call`'s end."""
        code = call.code()
        self.codes[code] += 1
        if code not in codes or (code == CODE.DEADLINE_EXCEEDED and timeout == PATIENT):
            self.surprises.append(f"{what}: {code} {call.details()!r}, timeout {timeout}")

    def options(self):
        return {"timeout": self.rng.choice([0.002, 0.02, 0.2, PATIENT, PATIENT]),
                "metadata": (("x-client-id", self.name),)}

    def unary(self):
        method, request = self.requests.unary(self.api)
        options = self.options()
        call = method.future(request, **options)
        self.calls += not isinstance(request, health.HealthCheckRequest)
        if self.rng.random() < 0.3:
            time.sleep(self.rng.choice([0, 0.001, 0.02]))
            call.cancel()
        self.expect(call, GOOD, type(request).__name__, options["timeout"])

    def stream(self):
        method, request = self.requests.stream(self.api)
        options = self.options()
        call = method(request, **options)
        self.calls += 1
        limit = self.rng.choice([0, 1, 4, 10**6, 10**6])
        try:
            for number, _ in enumerate(call):
                if number >= limit:
                    break
            if limit < 10**6:
                time.sleep(self.rng.choice([0, 0.01, 0.3]))  # Not reading.
                call.cancel()
        except grpc.RpcError:
            pass
        call.cancel()
        self.expect(call, GOOD, type(request).__name__, options["timeout"])

    def corpus(self):
        """ReadConceptsStream: good and bad requests; read to the end, in part, or not at all."""
        requests = []
        for _ in range(self.rng.choice([0, 1, 3, 20])):
            prompts = [self.requests.prompt() for _ in range(self.rng.choice([0, 1, 4, 4]))]
            requests.append(concept.ReadConceptsStreamRequest(
                read=concept.ReadConceptsRequest(prompts=prompts)))
        options = self.options()
        call = self.api.concept.ReadConceptsStream(iter(requests), **options)
        self.calls += 1 + len(requests)  # Each is counted as a ReadConcepts.
        limit = self.rng.choice([0, 1, 10**6, 10**6])
        seen = set()
        try:
            for answer in call:
                prompts = len(requests[answer.index].read.prompts)
                if answer.index in seen or answer.WhichOneof("result") is None or (
                        answer.HasField("answer") and len(answer.answer.readings) != prompts):
                    self.surprises.append(f"an answer to {prompts} prompts: {answer}")
                seen.add(answer.index)
                if len(seen) >= limit:
                    break
            if limit < 10**6:
                time.sleep(self.rng.choice([0, 0.01, 0.3]))  # Not reading.
                call.cancel()
            elif call.code() == CODE.OK and len(seen) != len(requests):
                self.surprises.append(f"{len(seen)} answers to {len(requests)} requests")
        except grpc.RpcError:
            pass
        call.cancel()
        self.expect(call, GOOD, "ReadConceptsStream", options["timeout"])

    def refused(self):
        method, request = self.requests.bad(self.api)
        options = self.options()
        call = method.future(request, **options)
        self.calls += 1
        self.expect(call, BAD, f"bad {type(request).__name__}", options["timeout"])

    def garbage(self):
        method = self.rng.choice(["/alignsae.v1.SteeringService/Swap",
                                  "/alignsae.v1.SteeringService/Generate",
                                  "/alignsae.v1.ModelService/Tokenize",
                                  "/alignsae.v1.ModelService/NoSuchMethod", "/x/y"])
        payload = bytes([0xff]) + self.rng.randbytes(self.rng.choice([1, 40, 3000]))
        call = self.api.channel.unary_unary(method).future(payload, timeout=20)
        self.expect(call, ALWAYS | {CODE.UNIMPLEMENTED, CODE.INTERNAL}, method)

    def watch(self):
        call = self.api.health.Watch(health.HealthCheckRequest(), timeout=20)
        if next(call).status != health.HealthCheckResponse.SERVING:
            self.surprises.append("the health says that the server does not serve")
        call.cancel()
        self.expect(call, {CODE.CANCELLED}, "Watch")

    def socket(self):
        """A peer that is no gRPC client, or stops in the middle of its first words."""
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.server.grpc_port), timeout=5) as peer:
            peer.sendall(self.rng.choice([b"GET / HTTP/1.1\r\n\r\n", preface[:9], preface,
                                          preface + self.rng.randbytes(60)]))
            time.sleep(self.rng.choice([0, 0.02]))

    def burst(self):
        """Many calls at once, more than may wait: the queue must choose."""
        calls = []
        for _ in range(self.rng.randint(3, 10)):
            method, request = self.requests.unary(self.api)
            options = self.options()
            calls.append((method.future(request, **options), request, options))
            self.calls += not isinstance(request, health.HealthCheckRequest)
        for call, request, options in calls:
            self.expect(call, GOOD, type(request).__name__, options["timeout"])

    def leave(self):
        """Ends the connection in the middle of calls, and comes back."""
        method, request = self.requests.stream(self.api)
        options = self.options()
        call = method(request, **options)
        other = self.api.steering.Swap.future(
            steering.SwapRequest(prompt=self.requests.prompt(), target=self.requests.ref()),
            **options)
        self.calls += 2
        if self.rng.random() < 0.5:
            try:
                next(call)
            except (grpc.RpcError, StopIteration):
                pass
        self.api.close()
        for left in (call, other):
            self.expect(left, GOOD, "a call whose channel was closed", options["timeout"])
        self.connect()


class DoorSimulation(ServerTest):
    # Few of everything, so that the limits are met.
    maxDiff = None
    flags = ("--kv-slots=3", "--max-queued-sequences=6", "--max-prompts-per-batch=4",
             "--max-deadline-seconds=3600", "--http-listen=127.0.0.1:0")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.context = cls.api.model.GetModel(
            model.GetModelRequest(), timeout=10).model.context_length

    def canary(self):
        answer = self.api.steering.Swap(steering.SwapRequest(
            prompt=self.example(), target=common.ConceptRef(name="employer")), timeout=60)
        return (answer.baseline.text, answer.steered.text,
                [token.id for token in answer.steered.tokens])

    def held(self):
        """What must be as it was: name -> count."""
        metric = self.server.metric
        return {"slots": metric("alignsae_kv_slots_in_use"),
                "queue": metric("alignsae_queue_depth"),
                "calls in flight": metric("alignsae_rpc_in_flight"),
                "descriptors": metric("process_open_fds")}

    def simulate(self, seed, steps):
        clients = [Client(seed, index, self.server, self.concepts, self.context)
                   for index in range(CLIENTS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(client.run, steps) for client in clients]
            stuck = self.wait_while_it_moves(running)
            if stuck:
                held = self.held()
                self.server.process.kill()  # So that the calls end and this test does.
                self.fail(f"{len(stuck)} clients have calls that never end; held: {held}")
            for one in running:
                one.result()
        return clients

    def wait_while_it_moves(self, running, seconds=60):
        """Waits for all, for as long as the server does something. Returns who is left:
        a busy machine is slow but moves, a call that was lost does not."""
        seen, since = None, time.monotonic()
        while True:
            _, left = concurrent.futures.wait(running, timeout=1)
            if not left:
                return left
            moved = (self.counted(), self.server.metric("alignsae_generated_tokens_total"),
                     self.server.metric("alignsae_prompt_tokens_total"))
            if moved != seen:
                seen, since = moved, time.monotonic()
            elif time.monotonic() - since > seconds:
                return left

    def settle(self, before):
        """Waits until what is held is as `before`."""
        if not eventually(lambda: self.held() == before, seconds=20):
            self.assertEqual(self.held(), before)

    def counted(self):
        return self.server.metric("alignsae_rpc_requests_total")

    def test_nothing_is_held_afterwards(self):
        answer = self.canary()
        # Once, so that what is made at the first use is there.
        self.simulate("first", max(10, FLAGS.steps // 4))
        eventually(lambda: self.held()["calls in flight"] == 0)
        before = self.held()
        self.assertEqual((before["slots"], before["queue"], before["calls in flight"]), (0, 0, 0))
        threads = self.server.metric("process_threads")
        memory = self.server.metric("process_resident_memory_bytes")
        calls_before = self.counted()
        made, codes = 0, collections.Counter()
        for seed in range(FLAGS.seed, FLAGS.seed + FLAGS.runs):
            print(f"seed {seed}, {CLIENTS} clients of {FLAGS.steps} steps", flush=True)
            clients = self.simulate(seed, FLAGS.steps)
            self.assertEqual([s for client in clients for s in client.surprises], [])
            self.settle(before)
            made += sum(client.calls for client in clients)
            for client in clients:
                codes.update(client.codes)
            # gRPC's own pool adds a thread under load and lets it go when it likes.
            self.assertLessEqual(self.server.metric("process_threads"), threads + 4)
        # Every way to end was met.
        self.assertEqual((GOOD | {CODE.INVALID_ARGUMENT, CODE.NOT_FOUND, CODE.UNIMPLEMENTED,
                                  "http 200", "http 400"}) - set(codes), set())
        # A call that ends before the server has seen it is counted by its client only.
        counted = self.counted() - calls_before
        self.assertLessEqual(counted, made)
        self.assertGreater(counted, made / 3)
        print({getattr(code, "name", code): count for code, count in codes.items()}, f"{counted:.0f} of {made} counted")
        grown = self.server.metric("process_resident_memory_bytes") - memory
        self.assertLess(grown, (48 << 20) + FLAGS.runs * (1 << 20))
        self.assertEqual(self.canary(), answer)
        self.assertIsNone(self.server.process.poll(), self.server.log())
        self.assertNotIn("level=error", self.server.log())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=FLAGS.seed)
    parser.add_argument("--runs", type=int, default=FLAGS.runs)
    parser.add_argument("--steps", type=int, default=FLAGS.steps)
    FLAGS = parser.parse_args()
    unittest.main(argv=sys.argv[:1], verbosity=2)
