#!/usr/bin/env python3
"""What clients get wrong, through the wire, with the exact status and text; and
that the server answers as before afterwards. The parser's own tables are in
tests/rpc; here are those rows that need the real server, and one of each kind."""
import gzip
import socket
import struct
import time

import grpc
from alignsae_server import (ServerTest, common, concept, generation, intervention, main, model,
                             steering, swap_edit)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
UNIMPLEMENTED = grpc.StatusCode.UNIMPLEMENTED
NAN = float("nan")
INF = float("inf")


def raw(channel, method):
    """A call that sends and receives bytes."""
    return channel.unary_unary(method)


class BadInputTest(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        answer = cls.api.model.GetModel(model.GetModelRequest(), timeout=10)
        cls.vocab = answer.model.vocab_size
        cls.context = answer.model.context_length
        cls.checkpoint = answer.checkpoints[0]

    def tearDown(self):
        # Whatever came before, the server answers. gRPC may close the connection on
        # metadata that break HTTP/2's rules; a new one must do.
        request = concept.ReadConceptsRequest(prompts=[self.example()])
        try:
            answer = self.api.concept.ReadConcepts(request, timeout=10)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertIsNone(self.server.process.poll(), self.server.log())
            answer = self.api.concept.ReadConcepts(request, timeout=10, wait_for_ready=True)
        self.assertEqual(answer.readings[0].reading.top_concept, "birth_city")

    def prompt_ids(self, count):
        return common.Prompt(token_ids=common.TokenIds(ids=[1] * count))

    def refuse_read(self, code, sentence, **fields):
        fields.setdefault("prompts", [self.example()])
        self.assertRefused(code, sentence, self.api.concept.ReadConcepts,
                           concept.ReadConceptsRequest(**fields))

    def refuse_complete(self, code, sentence, **fields):
        """By Complete and Generate alike."""
        fields.setdefault("prompt", self.example())
        self.assertRefused(code, sentence, self.api.steering.Complete,
                           steering.CompleteRequest(**fields))
        self.assertRefused(code, sentence, self.api.steering.Generate,
                           steering.GenerateRequest(**fields))

    def test_prompts(self):
        text = "prompts[0].text: must hold 1 to 65536 bytes, got "
        self.refuse_read(INVALID, text + "0", prompts=[common.Prompt(text="")])
        self.refuse_read(INVALID, text + "65537", prompts=[common.Prompt(text="x" * 65537)])
        self.refuse_read(INVALID, "prompts: must hold 1 to 64 prompts, got 0", prompts=[])
        self.refuse_read(INVALID, "prompts: must hold 1 to 64 prompts, got 5000",
                         prompts=[common.Prompt(text="x")] * 5000)
        self.refuse_read(
            INVALID, "prompts[0]: must set one of text, question and token_ids, got none",
            prompts=[common.Prompt()])
        for bad in (-1, self.vocab, 2**31 - 1, -2**31):
            self.refuse_read(
                INVALID,
                f"prompts[0].token_ids.ids[0]: must be in [0, {self.vocab - 1}], got {bad}",
                prompts=[common.Prompt(token_ids=common.TokenIds(ids=[bad]))])
        over = self.context + 1
        self.refuse_read(
            INVALID, f"prompts[0]: must have at most {self.context} tokens, got {over}; "
            "nothing is cut", prompts=[self.prompt_ids(over)])

    def test_odd_texts_that_are_fine(self):
        for text in ("\0", "   ", "\u202e\ufeff", "\U0001f642" * 20, "\x7f\x1b[2J", "a\r\nb"):
            answer = self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
                prompts=[common.Prompt(text=text)]), timeout=10)
            ids = answer.readings[0].prompt_token_ids
            back = self.api.model.Detokenize(
                model.DetokenizeRequest(token_ids=ids), timeout=10)
            self.assertEqual(back.text, text)
        full = self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[self.prompt_ids(self.context)]), timeout=10)
        self.assertEqual(full.prompt_token_count, self.context)

    def test_names_and_positions(self):
        self.refuse_read(NOT_FOUND, 'checkpoint: must be one of main, got "no\\nsuch"',
                         checkpoint="no\nsuch")
        for bad in (2, -3, 2**31 - 1, -2**31):
            self.refuse_read(
                INVALID, f"position: must be in [-2, 1], got {bad}; prompts[0] has 2 tokens",
                prompts=[self.prompt_ids(2)], position=bad)

    def test_inspection(self):
        inspect = self.api.concept.InspectSlots
        self.assertRefused(
            PRECONDITION, "top_k: must be 0 when only concept slots are loaded, got 3; the "
            "server needs --whole-sae", inspect,
            concept.InspectSlotsRequest(prompt=self.example(), top_k=3))
        limit = min(1000, self.checkpoint.n_features)
        for bad in (-1, 2**31 - 1):
            self.assertRefused(
                INVALID, f"top_k: must be in [0, {limit}], got {bad}", inspect,
                concept.InspectSlotsRequest(prompt=self.example(), top_k=bad))
        many = intervention.PositionSelection(
            prompt=intervention.PROMPT_SELECTION_LIST, positions=range(100000))
        self.assertRefused(
            INVALID, "positions.positions: must hold at most two for each of the prompt's 2 "
            "tokens, got 100000", inspect,
            concept.InspectSlotsRequest(prompt=self.prompt_ids(2), positions=many))

    def test_generation_config(self):
        def refuse(sentence, **config):
            self.refuse_complete(INVALID, f"generation.{sentence}",
                                 generation=generation.GenerationConfig(**config))
        for bad in (0, -1, 2**31 - 1):
            refuse(f"max_new_tokens: must be in [1, 1024], got {bad}", max_new_tokens=bad)
        prompt = self.prompt_ids(10)
        room = self.context - 10
        self.refuse_complete(
            INVALID, f"generation.max_new_tokens: must be at most {room} after a prompt of 10 "
            f"tokens, got {room + 1}; the context has {self.context} positions",
            prompt=prompt, generation=generation.GenerationConfig(max_new_tokens=room + 1))
        for bad, shown in ((-1, "-1"), (NAN, "nan"), (INF, "inf"), (1e30, "1e+30")):
            refuse(f"temperature: must be in [0, 100], got {shown}", temperature=bad)
        for bad, shown in ((0, "0"), (1.5, "1.5"), (NAN, "nan")):
            refuse(f"top_p: must be in (0, 1], got {shown}", top_p=bad)
        refuse(f"top_k: must be in [0, {self.vocab}], got -1", top_k=-1)
        refuse("repetition_penalty: must be in (0, 10], got 0", repetition_penalty=0)
        for field in ("frequency_penalty", "presence_penalty"):
            for bad, shown in ((2.5, "2.5"), (-2.5, "-2.5"), (NAN, "nan"), (INF, "inf")):
                refuse(f"{field}: must be in [-2, 2], got {shown}", **{field: bad})
        refuse(f"logit_bias: must name tokens in [0, {self.vocab}), got {self.vocab}",
               logit_bias={self.vocab: 1})
        refuse("logit_bias[5]: must be in [-100, 100], got nan", logit_bias={5: NAN})
        refuse("min_new_tokens: must be in [0, 7], got 8", max_new_tokens=7, min_new_tokens=8)
        refuse("prompt_logprobs: must be in [0, 20], got -1", prompt_logprobs=-1)
        refuse("top_logprobs: must be in [0, 20], got 21", top_logprobs=21)
        refuse("stop_sequences[0]: must hold 1 to 128 bytes, got 0", stop_sequences=[""])
        refuse("stop_sequences: must hold at most 16 of them, got 10000",
               stop_sequences=["x"] * 10000)
        refuse("stop_sequences[0]: must hold 1 to 128 bytes, got 500000",
               stop_sequences=["x" * 500000])

    def test_interventions(self):
        def refuse(code, sentence, *edits):
            self.refuse_complete(code, sentence, interventions=edits)
        edit = intervention.Intervention
        add = intervention.INTERVENTION_MODE_ADD
        job = common.ConceptRef(name="employer")
        for bad, shown in ((NAN, "nan"), (INF, "inf"), (-INF, "-inf")):
            refuse(INVALID, f"interventions[0].alpha: must be finite, got {shown}",
                   edit(mode=add, target=job, alpha=bad))
        refuse(INVALID, "interventions: must hold at most 16 of them, got 10000",
               *[edit(mode=add, target=job)] * 10000)
        refuse(NOT_FOUND, "interventions[1].target.name: must be a concept of checkpoint main, "
               'got "spouse"', edit(mode=add, target=job),
               edit(mode=add, target=common.ConceptRef(name="spouse")))
        slots = self.checkpoint.n_features
        for bad in (-1, slots, 2**31 - 1):
            refuse(NOT_FOUND, f"interventions[0].target.slot: must be in [0, {slots - 1}], got "
                   f"{bad}; checkpoint main has {slots} slots",
                   edit(mode=add, target=common.ConceptRef(slot=bad)))
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), interventions=[
                    edit(mode=intervention.INTERVENTION_MODE_REPLACE, target=job)]), timeout=10)
        self.assertEqual(caught.exception.code(), PRECONDITION)
        self.assertTrue(caught.exception.details().startswith("interventions[0].mode: must"),
                        caught.exception.details())
        refuse(INVALID, "interventions[0].source: must differ from target, got slot "
               f"{self.by_name['employer'].slot} for both", swap_edit("employer", "employer"))

    def test_finite_alphas_at_the_edge(self):
        for alpha in (5e-324, -1e-300, 0.0):
            answer = self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), interventions=[intervention.Intervention(
                    mode=intervention.INTERVENTION_MODE_ADD, alpha=alpha,
                    target=common.ConceptRef(name="employer"))],
                arms=generation.ARM_SELECTION_BOTH), timeout=10)
            self.assertEqual(answer.arms[0].text, answer.arms[1].text)
        for alpha in (1e38, -1e38, 1e308):
            with self.assertRaises(grpc.RpcError) as caught:
                self.api.steering.Complete(steering.CompleteRequest(
                    prompt=self.example(), interventions=[intervention.Intervention(
                        mode=intervention.INTERVENTION_MODE_ADD, alpha=alpha,
                        target=common.ConceptRef(name="employer"))]), timeout=10)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.OUT_OF_RANGE)
            self.assertIn("must leave the logits finite", caught.exception.details())
        both = [intervention.Intervention(mode=intervention.INTERVENTION_MODE_ADD, alpha=a,
                                          target=common.ConceptRef(name="employer"))
                for a in (2.0, -2.0)]
        answer = self.api.steering.Complete(steering.CompleteRequest(
            prompt=self.example(), interventions=both), timeout=10)
        self.assertEqual(len(answer.arms[0].receipts), 2)

    def test_bytes_that_are_no_message(self):
        for method in ("ConceptService/ReadConcepts", "SteeringService/Swap",
                       "SteeringService/Complete", "ModelService/Tokenize"):
            call = raw(self.api.channel, f"/alignsae.v1.{method}")
            for body in (b"\xff\xff\xff\xff", b"\x0a\x7f", b"\x0a\x04\x0a\x02\xc3\x28",
                         b"\x0b" * 5000):
                # gRPC 1.51's callback API answers so before our code sees it.
                with self.assertRaises(grpc.RpcError) as caught:
                    call(body, timeout=10)
                self.assertIn(caught.exception.code(), (UNIMPLEMENTED, INVALID),
                              (method, body))
        # Unknown fields are ignored, as in every protobuf API.
        known = model.TokenizeRequest(text="x").SerializeToString()
        self.assertTrue(raw(self.api.channel, "/alignsae.v1.ModelService/Tokenize")(
            known + b"\xf8\x7f\x01", timeout=10))

    def test_methods_that_do_not_exist(self):
        for method in ("/alignsae.v1.SteeringService/SweepTheFloor", "/no.Service/Method", "/x"):
            with self.assertRaises(grpc.RpcError) as caught:
                raw(self.api.channel, method)(b"", timeout=10)
            self.assertEqual(caught.exception.code(), UNIMPLEMENTED)

    def test_a_message_over_the_limit(self):
        request = concept.ReadConceptsRequest(prompts=[common.Prompt(text="x" * (1 << 20))])
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.concept.ReadConcepts(request, timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertNotIn("grpc-retry-pushback-ms", dict(caught.exception.trailing_metadata()))

    def test_compressed_requests_are_refused_before_they_are_inflated(self):
        before = self.server.metric("process_resident_memory_bytes")
        bomb = common.Prompt(text="x" * 900000)
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.concept.ReadConcepts(
                concept.ReadConceptsRequest(prompts=[bomb]), timeout=10,
                compression=grpc.Compression.Gzip)
        self.assertEqual(caught.exception.code(), UNIMPLEMENTED)
        self.assertLess(self.server.metric("process_resident_memory_bytes") - before, 64 << 20)

    def test_metadata(self):
        error = self.assertRefusedWith(metadata=[("x-request-id", "i" * 129)])
        self.assertEqual(error.details(), "x-request-id: must have at most 128 bytes, got 129")
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.model.GetModel(model.GetModelRequest(), timeout=10,
                                    metadata=[("x-filler", "y" * 40000)])
        self.assertIn(caught.exception.code(), (grpc.StatusCode.RESOURCE_EXHAUSTED,
                                                grpc.StatusCode.UNAVAILABLE))

    def test_metadata_that_cannot_be_sent_back_does_not_end_the_server(self):
        # grpcio refuses to send it, so the frames are made by hand: an empty
        # request of GetModel whose x-request-id is two bytes of UTF-8.
        def field(name, value):
            return bytes([0, len(name)]) + name + bytes([len(value)]) + value
        headers = b"".join(field(name, value) for name, value in (
            (b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"),
            (b":path", b"/alignsae.v1.ModelService/GetModel"),
            (b"content-type", b"application/grpc"), (b"te", b"trailers"),
            (b"x-request-id", b"\xc3\xa9")))
        def frame(kind, flags, stream, body):
            return (struct.pack(">I", len(body))[1:] + bytes([kind, flags]) +
                    struct.pack(">I", stream) + body)
        with socket.create_connection(("127.0.0.1", self.server.grpc_port)) as peer:
            peer.settimeout(5)
            peer.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") +
                         frame(1, 4, 1, headers) + frame(0, 1, 1, b"\0" * 5))
            answer = b""
            try:
                while b"INVALID_FIELD" not in answer and b"printable" not in answer:
                    more = peer.recv(4096)
                    if not more:
                        break
                    answer += more
            except OSError:
                pass
        self.assertIn(b"printable%20ASCII" if b"printable%20" in answer else b"printable ASCII",
                      answer)
        self.assertIsNone(self.server.process.poll())

    def assertRefusedWith(self, **options):
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.model.GetModel(model.GetModelRequest(), timeout=10, **options)
        self.assertEqual(caught.exception.code(), INVALID)
        return caught.exception

    def test_errors_carry_details_for_programs(self):
        error = self.assertRefusedWith(metadata=[("x-request-id", "i" * 129)])
        details = dict(error.trailing_metadata())["grpc-status-details-bin"]
        self.assertIn(b"INVALID_FIELD", details)
        self.assertIn(b"alignsae.v1", details)

    def test_a_millisecond_is_not_enough(self):
        with self.assertRaises(grpc.RpcError) as caught:
            self.api.steering.Complete(steering.CompleteRequest(
                prompt=self.example(), generation=generation.GenerationConfig(
                    max_new_tokens=90, ignore_eos=True)), timeout=0.001)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_bytes_that_are_no_http2(self):
        for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x00\x05hello",
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + struct.pack(">I", 0xffffff) * 8,
                     gzip.compress(b"x" * 100000)):
            with socket.create_connection(("127.0.0.1", self.server.grpc_port)) as peer:
                peer.settimeout(5)
                try:
                    peer.sendall(junk)
                    while peer.recv(4096):
                        pass
                except OSError:
                    pass
        idle = [socket.create_connection(("127.0.0.1", self.server.grpc_port))
                for _ in range(200)]
        time.sleep(0.1)
        for peer in idle:
            peer.close()
        self.assertIsNone(self.server.process.poll())


if __name__ == "__main__":
    main()
