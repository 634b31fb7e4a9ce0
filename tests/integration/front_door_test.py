#!/usr/bin/env python3
"""The front door: the Connect protocol and OpenAI's completions over plain HTTP, against the
demo bundle, with Python's own HTTP client and raw sockets."""
import base64
import gzip
import http.client
import json
import socket
import struct
import subprocess
import time
import unittest

from alignsae_server import (Server, ServerTest, common, concept, eventually, generation,
                             intervention, main, model, steering, swap_edit, told)
from alignsae.v1 import find_alpha_pb2 as find
from alignsae.v1 import side_effects_pb2 as guards
from alignsae.v1 import swap_matrix_pb2 as matrix
from google.protobuf import json_format
from google_rpc.rpc import error_details_pb2 as details

# method -> (service, message of the request, message of the answer)
UNARY = {"GetModel": ("ModelService", model.GetModelRequest, model.GetModelResponse),
         "ListConcepts": ("ModelService", model.ListConceptsRequest,
                          model.ListConceptsResponse),
         "Tokenize": ("ModelService", model.TokenizeRequest, model.TokenizeResponse),
         "Detokenize": ("ModelService", model.DetokenizeRequest, model.DetokenizeResponse),
         "ReadConcepts": ("ConceptService", concept.ReadConceptsRequest,
                          concept.ReadConceptsResponse),
         "InspectSlots": ("ConceptService", concept.InspectSlotsRequest,
                          concept.InspectSlotsResponse),
         "ExplainSlot": ("ConceptService", concept.ExplainSlotRequest,
                         concept.ExplainSlotResponse),
         "Swap": ("SteeringService", steering.SwapRequest, steering.SwapResponse),
         "Complete": ("SteeringService", steering.CompleteRequest,
                      steering.CompleteResponse),
         "FindAlpha": ("SteeringService", find.FindAlphaRequest, find.FindAlphaResponse)}
STREAMS = {"Generate": (steering.GenerateRequest, steering.GenerateResponse),
           "SweepAlpha": (steering.SweepAlphaRequest, steering.SweepAlphaResponse),
           "SwapMatrix": (matrix.SwapMatrixRequest, matrix.SwapMatrixResponse)}


def path_of(method):
    service = UNARY[method][0] if method in UNARY else "SteeringService"
    return f"/alignsae.v1.{service}/{method}"


def bound_city():
    return intervention.ReadingCondition(
        slot=common.ConceptRef(name="birth_city"), bound=True)


def envelope(message):
    return struct.pack(">BI", 0, len(message)) + message


def frames(body):
    """(flags, message) of every envelope."""
    found = []
    while body:
        flags, size = struct.unpack(">BI", body[:5])
        found.append((flags, body[5:5 + size]))
        body = body[5 + size:]
    return found


class FrontDoorTestCase(ServerTest):
    def post(self, path, body, content_type="application/json", **headers):
        """(status, headers, body) of a POST."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=60)
        try:
            connection.request("POST", path, body, {
                "Content-Type": content_type,
                **{name.replace("_", "-"): value for name, value in headers.items()}})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=60)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def peer(self, bytes_=b""):
        peer = socket.create_connection(("127.0.0.1", self.server.http_port), timeout=30)
        self.addCleanup(peer.close)
        peer.sendall(bytes_)
        return peer

    @staticmethod
    def request_bytes(path, body, content_type, host="localhost"):
        return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode() + body


class ConnectTest(FrontDoorTestCase):
    flags = ("--whole-sae", "--http-listen=127.0.0.1:0")

    def requests(self):
        """A request for every unary RPC."""
        prompt = self.example()
        greedy = generation.GenerationConfig(max_new_tokens=6, seed=7, top_logprobs=2)
        return {"GetModel": model.GetModelRequest(), "ListConcepts": model.ListConceptsRequest(),
                "Tokenize": model.TokenizeRequest(text="Zażółć 🙂\n"),
                "Detokenize": model.DetokenizeRequest(token_ids=[5, 6, 7]),
                "ReadConcepts": concept.ReadConceptsRequest(prompts=[prompt]),
                "InspectSlots": concept.InspectSlotsRequest(prompt=prompt, top_k=3),
                "ExplainSlot": concept.ExplainSlotRequest(
                    slot=common.ConceptRef(name="employer"), top_k=3),
                "Swap": steering.SwapRequest(
                    prompt=prompt, target=common.ConceptRef(name="employer"), generation=greedy),
                "Complete": steering.CompleteRequest(
                    prompt=prompt, generation=greedy,
                    interventions=[swap_edit("birth_city", "major")]),
                "FindAlpha": find.FindAlphaRequest(
                    prompt=prompt, target=common.ConceptRef(name="employer"), max_tries=4,
                    guard=guards.SteeringGuard(max_kl=0.01), when=bound_city(),
                    goal=find.AlphaGoal(answer="x"), generation=greedy)}

    def over_grpc(self, method, request):
        service = {"ModelService": self.api.model, "ConceptService": self.api.concept,
                   "SteeringService": self.api.steering}[UNARY[method][0]]
        return getattr(service, method)(request, timeout=30, metadata=[("x-request-id", "same")])

    def test_every_unary_rpc_answers_what_grpc_does(self):
        for method, request in self.requests().items():
            expected = self.over_grpc(method, request)
            answer_type = UNARY[method][2]
            with self.subTest(method, codec="json"):
                status, headers, body = self.post(
                    path_of(method), json_format.MessageToJson(request), X_Request_Id="same")
                self.assertEqual((status, headers["content-type"], headers["x-request-id"]),
                                 (200, "application/json", "same"), body)
                self.assertEqual(told(json_format.Parse(body, answer_type())), told(expected))
            with self.subTest(method, codec="proto"):
                status, headers, body = self.post(
                    path_of(method), request.SerializeToString(), "application/proto",
                    X_Request_Id="same")
                self.assertEqual((status, headers["content-type"]), (200, "application/proto"))
                self.assertEqual(told(answer_type.FromString(body)), told(expected))

    def test_every_stream_says_what_grpc_does(self):
        greedy = generation.GenerationConfig(max_new_tokens=8, seed=7, ignore_eos=True)
        requests = {
            "Generate": steering.GenerateRequest(
                prompt=self.example(), generation=greedy, arms=generation.ARM_SELECTION_BOTH,
                interventions=[swap_edit("birth_city", "major")]),
            "SweepAlpha": steering.SweepAlphaRequest(
                prompt=self.example(), alphas=[0.5, 1], generation=greedy,
                targets=[common.ConceptRef(name="employer")], when=bound_city()),
            "SwapMatrix": matrix.SwapMatrixRequest(
                prompt=self.example(), targets={"employer": "x"}, generation=greedy,
                concepts=[common.ConceptRef(name=name) for name in ("employer", "major")])}
        for method, request in requests.items():
            expected = list(getattr(self.api.steering, method)(
                request, timeout=30, metadata=[("x-request-id", "same")]))
            answer_type = STREAMS[method][1]
            for codec, message, parse in (
                    ("json", json_format.MessageToJson(request).encode(),
                     lambda text: json_format.Parse(text, answer_type())),
                    ("proto", request.SerializeToString(), answer_type.FromString)):
                with self.subTest(method, codec=codec):
                    status, headers, body = self.post(
                        path_of(method), envelope(message), f"application/connect+{codec}",
                        X_Request_Id="same")
                    self.assertEqual((status, headers["content-type"]),
                                     (200, f"application/connect+{codec}"))
                    *messages, (flags, end) = frames(body)
                    self.assertEqual((flags, json.loads(end)), (2, {}))
                    got = [parse(text) for flags, text in messages]
                    if method != "Generate":  # Cells come in any order.
                        def order(event):
                            return (event.WhichOneof("event") == "summary", event.cell.index)
                        got, expected = sorted(got, key=order), sorted(expected, key=order)
                    self.assertEqual(told(got), told(expected))

    def test_errors_carry_grpcs_code_sentence_and_details(self):
        status, headers, body = self.post(
            path_of("Complete"), '{"prompt": {"question": "Q"}, "generation": {"topP": 1.5}}',
            X_Request_Id="order-66")
        error = json.loads(body)
        self.assertEqual((status, headers["content-type"], error["code"], error["message"]),
                         (400, "application/json", "invalid_argument",
                          "generation.top_p: must be in (0, 1], got 1.5"))
        value = error["details"][0]["value"]
        info = details.ErrorInfo.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
        self.assertEqual((error["details"][0]["type"], info.reason, info.metadata["request_id"]),
                         ("google.rpc.ErrorInfo", "INVALID_FIELD", "order-66"))
        status, _, body = self.post(path_of("ReadConcepts"),
                                    '{"prompts": [{"text": "a"}], "checkpoint": "no such"}')
        self.assertEqual((status, json.loads(body)["code"]), (404, "not_found"))

    def test_malformed_json_names_what_is_wrong(self):
        for body, named in (('{"prompt": {"text": 1e}}', "parse"), ("", "JSON"), ("[1]", "request"),
                            ('{"prompt": {"txt": "a"}}', "txt"),
                            ('{"prompt": {"text": "a"}, "generation": {"seed": "x"}}', "seed"),
                            (b'{"prompt": {"text": "\xff"}}', "UTF-8"), ("[" * 100000, "deep")):
            with self.subTest(body[:60]):
                status, _, answer = self.post(path_of("Complete"), body)
                error = json.loads(answer)
                self.assertEqual((status, error["code"]), (400, "invalid_argument"))
                self.assertIn(named, error["message"])
        status, _, answer = self.post(path_of("Complete"), b"\xff", "application/proto")
        self.assertEqual((status, json.loads(answer)["code"]), (400, "invalid_argument"))
        status, _, answer = self.post(path_of("Generate"), envelope(b"{}")[:-1],
                                      "application/connect+json")
        self.assertEqual(json.loads(frames(answer)[-1][1])["error"]["code"], "invalid_argument")

    def test_refuses_pages_types_and_methods_that_may_not_call(self):
        body = '{"prompt": {"text": "a"}}'
        for status, headers in ((415, {"content_type": "text/plain"}),
                                (415, {"content_type": "application/x-www-form-urlencoded",
                                       "Sec_Fetch_Site": "cross-site"}),
                                (415, {"Content_Encoding": "br"}),
                                (403, {"Origin": "https://evil.example"}),
                                (421, {"Host": "evil.example"})):
            with self.subTest(headers):
                before = self.server.metric("alignsae_http_refused_total")
                answer, _, text = self.post(path_of("Complete"), body, **headers)
                self.assertEqual(answer, status)
                self.assertTrue(json.loads(text)["message"])
                self.assertEqual(self.server.metric("alignsae_http_refused_total"), before + 1)
        self.assertEqual(self.get(path_of("Complete"))[0], 405)
        self.assertEqual(self.get("/metrics")[0], 404)
        self.assertEqual(self.post("/alignsae.v1.SteeringService/No", body)[0], 404)

    def test_curl_needs_no_content_type(self):
        url = f"http://127.0.0.1:{self.server.http_port}{path_of('Swap')}"
        body = json.dumps({"prompt": {"text": "The"}, "target": {"name": "employer"}})
        done = subprocess.run(["curl", "-sS", "-d", body, url], capture_output=True, timeout=60,
                              check=True)
        answer = json_format.Parse(done.stdout, steering.SwapResponse())
        self.assertEqual(answer.steered.receipts[0].target_concept, "employer")
        done = subprocess.run(["curl", "-sS", "-d", body, "-H", "Origin: http://evil.example",
                               "-o", "/dev/null", "-w", "%{http_code}", url],
                              capture_output=True, timeout=60, check=True)
        self.assertEqual(done.stdout, b"403")

    def test_compressed_requests_are_read_within_the_limit(self):
        body = json.dumps({"text": "The"}).encode()
        status, _, text = self.post(path_of("Tokenize"), gzip.compress(body),
                                    Content_Encoding="gzip")
        self.assertEqual((status, json.loads(text)["tokens"]),
                         (200, json.loads(self.post(path_of("Tokenize"), body)[2])["tokens"]))
        bomb = gzip.compress(b" " * (64 << 20))
        status, _, text = self.post(path_of("Tokenize"), bomb, Content_Encoding="gzip")
        self.assertEqual(status, 400)
        self.assertIn("bytes when inflated", json.loads(text)["message"])

    def test_a_body_over_the_limit_is_refused(self):
        status, _, body = self.post(path_of("Tokenize"), b" " * ((1 << 20) + 1))
        self.assertEqual((status, json.loads(body)["code"]), (413, "resource_exhausted"))

    def test_a_timeout_is_the_calls_deadline(self):
        body = json.dumps({"prompt": {"text": "a"}, "targets": [{"name": "employer"}],
                           "alphas": [i / 100 for i in range(100)],
                           "generation": {"maxNewTokens": 90, "ignoreEos": True}}).encode()
        _, _, answer = self.post(path_of("SweepAlpha"), envelope(body),
                                 "application/connect+json", Connect_Timeout_Ms="30")
        self.assertEqual(json.loads(frames(answer)[-1][1])["error"]["code"],
                         "deadline_exceeded")

    def endless(self):
        return json_format.MessageToJson(steering.GenerateRequest(
            prompt=self.example(), generation=generation.GenerationConfig(
                max_new_tokens=90, ignore_eos=True))).encode()

    def assertFreed(self, cancelled_before):
        self.assertTrue(eventually(
            lambda: self.server.metric("alignsae_kv_slots_in_use") == 0 and
            self.server.metric("alignsae_rpc_in_flight") == 0))
        self.assertGreater(self.server.metric("alignsae_rpc_requests_total", code="CANCELLED"),
                           cancelled_before)

    def cancelled(self):
        try:
            return self.server.metric("alignsae_rpc_requests_total", code="CANCELLED")
        except AssertionError:
            return 0

    def test_closing_the_socket_frees_the_slots_of_a_stream(self):
        before = self.cancelled()
        for _ in range(8):  # One may be over before it is left.
            peer = self.peer(self.request_bytes(path_of("Generate"), envelope(self.endless()),
                                                "application/connect+json"))
            while b"started" not in peer.recv(4096):
                pass
            peer.close()
        self.assertFreed(before)

    def test_closing_the_socket_frees_the_slots_of_unary_calls(self):
        before = self.cancelled()
        peers = [self.peer(self.request_bytes(path_of("Complete"), self.endless(),
                                              "application/json")) for _ in range(12)]
        self.assertTrue(eventually(
            lambda: self.server.metric("alignsae_rpc_in_flight") > 0, seconds=5))
        for peer in peers:
            peer.close()
        self.assertFreed(before)

    def test_one_connection_carries_many_calls(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=30)
        self.addCleanup(connection.close)
        for _ in range(5):
            connection.request("POST", path_of("GetModel"), "{}",
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            self.assertEqual(answer.status, 200)
            answer.read()
            used = connection.sock
        self.assertIs(connection.sock, used)

    def test_metrics_and_the_log_tell_of_calls_as_of_grpcs(self):
        before = self.server.metric("alignsae_rpc_requests_total",
                                    method="ModelService/GetModel", code="OK")
        self.post(path_of("GetModel"), "{}", X_Request_Id="find-me-in-the-log")
        self.assertEqual(self.server.metric("alignsae_rpc_requests_total",
                                            method="ModelService/GetModel", code="OK"),
                         before + 1)
        self.assertTrue(eventually(lambda: "find-me-in-the-log" in self.server.log()))


class CompletionsTest(FrontDoorTestCase):
    flags = ("--http-listen=127.0.0.1:0",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model = cls.api.model.GetModel(model.GetModelRequest(), timeout=10).model

    def complete(self, prompt, **fields):
        body = {"model": self.model.name, "prompt": prompt, "temperature": 0, **fields}
        status, headers, answer = self.post("/v1/completions", json.dumps(body))
        if not fields.get("stream"):
            return status, json.loads(answer)
        self.assertEqual(headers["content-type"], "text/event-stream")
        events = answer.decode().split("\n\n")
        self.assertEqual(events[-2:], ["data: [DONE]", ""])
        return status, [json.loads(event.removeprefix("data: ")) for event in events[:-2]]

    def expected(self, text, **fields):
        return self.api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(text=text),
            generation=generation.GenerationConfig(max_new_tokens=16), **fields), timeout=30)

    def text(self):
        return self.model.prompt_template.replace("{question}", self.by_name["birth_city"].example)

    def test_models(self):
        status, answer = self.get("/v1/models")
        self.assertEqual((status, [row["id"] for row in answer["data"]]),
                         (200, [self.model.name]))

    def test_a_completion_is_the_answer_of_complete(self):
        expected = self.expected(self.text())
        status, answer = self.complete(self.text(), logprobs=0)
        self.assertEqual(status, 200, answer)
        choice = answer["choices"][0]
        self.assertEqual((choice["text"], choice["finish_reason"]),
                         (expected.arms[0].text, "stop"))
        for got, token in zip(choice["logprobs"]["token_logprobs"], expected.arms[0].tokens):
            self.assertAlmostEqual(got, token.logprob, places=5)
        self.assertEqual(answer["usage"]["prompt_tokens"], expected.prompt_token_count)
        ids = list(expected.prompt_token_ids)
        self.assertEqual(self.complete(ids)[1]["choices"][0]["text"], choice["text"])

    def test_an_echo_has_the_logprobs_of_the_prompt(self):
        expected = self.api.steering.Complete(steering.CompleteRequest(
            prompt=common.Prompt(text=self.text()), generation=generation.GenerationConfig(
                max_new_tokens=1, prompt_logprobs=1)), timeout=30)
        ids = list(expected.prompt_token_ids)
        for prompt in (self.text(), ids):
            choice = self.complete(prompt, echo=True, logprobs=1, max_tokens=0)[1]["choices"][0]
            self.assertEqual(choice["text"], self.text())
            self.assertEqual(choice["finish_reason"], "length")
            scores = choice["logprobs"]
            self.assertEqual(len(scores["tokens"]), len(ids))
            self.assertIsNone(scores["token_logprobs"][0])
            for i, token in enumerate(expected.arms[0].prompt_tokens):
                piece = token.piece.decode()
                self.assertEqual(scores["tokens"][i], piece)
                self.assertEqual(self.text()[scores["text_offset"][i]:][:len(piece)], piece)
                if i > 0:
                    self.assertAlmostEqual(scores["token_logprobs"][i], token.logprob, places=5)
                    self.assertEqual(len(scores["top_logprobs"][i]), 1)

    def test_bias_and_least_length(self):
        free = self.expected(self.text()).arms[0]
        biased = self.complete(self.text(), logprobs=0,
                               logit_bias={str(free.tokens[0].id): -100})[1]["choices"][0]
        self.assertNotEqual(biased["logprobs"]["tokens"][0], free.tokens[0].piece.decode())
        longer = self.complete(self.text(), max_tokens=40, min_tokens=30)[1]
        self.assertGreaterEqual(longer["usage"]["completion_tokens"], 30)

    def test_a_stream_is_the_completion_in_parts(self):
        _, whole = self.complete([self.text(), "The"], max_tokens=12, echo=True)
        status, chunks = self.complete([self.text(), "The"], max_tokens=12, echo=True, stream=True)
        self.assertEqual(status, 200)
        texts = ["", ""]
        for chunk in chunks:
            for choice in chunk["choices"]:
                texts[choice["index"]] += choice["text"]
        self.assertEqual(texts, [choice["text"] for choice in whole["choices"]])
        self.assertTrue(texts[1].startswith("The"))

    def test_n_samples_are_repeatable_by_seed(self):
        first = self.complete("The", n=3, seed=5, temperature=1.5, max_tokens=8)[1]
        again = self.complete("The", n=3, seed=5, temperature=1.5, max_tokens=8)[1]
        texts = [choice["text"] for choice in first["choices"]]
        self.assertEqual(texts, [choice["text"] for choice in again["choices"]])
        self.assertGreater(len(set(texts)), 1)

    def test_stop_ends_before_the_sequence(self):
        whole = self.complete(self.text(), max_tokens=16)[1]["choices"][0]["text"]
        stopped = self.complete(self.text(), max_tokens=16, stop=whole[2:4])[1]["choices"][0]
        self.assertEqual(stopped["finish_reason"], "stop")
        self.assertEqual(stopped["text"], whole[:whole.index(whole[2:4])])

    def test_steering_steers_and_signs_for_it(self):
        edit = swap_edit("birth_city", "employer")
        expected = self.expected(self.text(), interventions=[edit])
        status, answer = self.complete(
            self.text(), steering=[json_format.MessageToDict(edit)])
        self.assertEqual(status, 200, answer)
        choice = answer["choices"][0]
        self.assertEqual(choice["text"], expected.arms[0].text)
        self.assertNotEqual(choice["text"], self.expected(self.text()).arms[0].text)
        receipt = json_format.ParseDict(choice["steering"][0],
                                        intervention.InterventionReceipt())
        self.assertEqual(told(receipt), told(expected.arms[0].receipts[0]))

    def test_refuses_by_name_in_openais_form(self):
        for fields, status, param in (({"presence_penalty": 3}, 400, "presence_penalty"),
                                      ({"logit_bias": {"5": 101}}, 400, "logit_bias[5]"),
                                      ({"echo": True, "logprobs": 21}, 400, "logprobs"),
                                      ({"min_tokens": 99}, 400, "min_tokens"),
                                      ({"best_of": 2}, 400, "best_of"),
                                      ({"top_p": 2}, 400, "top_p"),
                                      ({"model": "gpt-4"}, 404, "model"),
                                      ({"steering": [{"mode": "INTERVENTION_MODE_ADD",
                                                      "target": {"name": "nobody"}}]}, 404,
                                       "steering[0].target.name")):
            with self.subTest(fields):
                got, answer = self.complete("a", **fields)
                self.assertEqual((got, answer["error"]["param"]), (status, param), answer)
                self.assertEqual(answer["error"]["type"], "invalid_request_error")
                self.assertTrue(answer["error"]["message"].startswith(param))
        status, _, body = self.post("/v1/chat/completions", "{}")
        self.assertEqual((status, "message" in json.loads(body)["error"]), (404, True))


class LimitsTest(FrontDoorTestCase):
    flags = ("--http-listen=127.0.0.1:0", "--http-max-connections=4",
             "--http-request-seconds=1", "--http-allowed-hosts=steer.example",
             "--http-allowed-origins=https://page.example")

    def test_a_head_that_drips_ends_in_time(self):
        peer = self.peer()
        started = time.monotonic()
        with self.assertRaises(OSError):  # Until it is closed.
            for byte in self.request_bytes(path_of("GetModel"), b"{}", "application/json") * 9:
                peer.sendall(bytes([byte]))
                time.sleep(0.05)
        self.assertLess(time.monotonic() - started, 20)

    def test_silent_connections_make_room(self):
        silent = [self.peer() for _ in range(20)]
        self.assertEqual(self.post(path_of("GetModel"), "{}")[0], 200)
        self.assertEqual(silent[0].recv(1), b"")

    def test_when_all_are_busy_the_next_is_told(self):
        drips = [self.peer(b"POST /") for _ in range(4)]
        status, headers, body = self.post(path_of("GetModel"), "{}")
        self.assertEqual((status, json.loads(body)["code"], headers["retry-after"]),
                         (503, "unavailable", "1"))
        self.assertIn(b" 408 ", drips[0].recv(100))
        self.assertTrue(eventually(lambda: self.post(path_of("GetModel"), "{}")[0] == 200))

    def test_names_and_pages_that_are_allowed(self):
        status, headers, _ = self.post(path_of("GetModel"), "{}", Host="steer.example:443",
                                       Origin="https://page.example")
        self.assertEqual((status, headers["access-control-allow-origin"]),
                         (200, "https://page.example"))


class DrainTest(unittest.TestCase):
    def test_sigterm_lets_streams_end_and_refuses_what_comes(self):
        server = Server("--http-listen=127.0.0.1:0", "--lame-duck-seconds=0.5",
                        "--drain-seconds=20")
        self.addCleanup(server.close)
        body = envelope(json.dumps({
            "prompt": {"text": "The"},
            "generation": {"maxNewTokens": 90, "ignoreEos": True}}).encode())
        connections = []
        for _ in range(6):
            connection = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
            self.addCleanup(connection.close)
            connection.request("POST", path_of("Generate"), body,
                               {"Content-Type": "application/connect+json"})
            connections.append(connection)
        answers = [connection.getresponse() for connection in connections]
        server.terminate()
        for answer in answers:
            self.assertEqual(json.loads(frames(answer.read())[-1][1]), {})
        self.assertEqual(server.process.wait(timeout=30), 0)

    def test_is_off_by_default(self):
        server = Server()
        self.addCleanup(server.close)
        self.assertIsNone(server.http_port)


if __name__ == "__main__":
    main()
