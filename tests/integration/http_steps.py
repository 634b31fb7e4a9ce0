"""What a client of the door simulation does at the front door: the same RPCs over HTTP,
taken whole, in part or not at all; OpenAI's completions; requests that break a rule of HTTP."""
import gzip
import http.client
import socket
import struct
import time

from alignsae_server import concept, model, steering
from google.protobuf import json_format

# HTTP status of an answer -> that a good call may end so: what ALWAYS is over gRPC, and a
# connection too many.
GOOD = {200, 429, 499, 503, 504}
BAD = GOOD | {400, 404}
STREAM = "application/connect+json"


class HttpSteps:
    """Beside what DoorSimulation's Client has: rng, server, requests, api, calls, surprises."""

    def http_path(self, request):
        name = type(request).DESCRIPTOR.full_name.removesuffix("Request").rsplit(".", 1)[1]
        [service] = [service.full_name for module in (concept, model, steering)
                     for service in module.DESCRIPTOR.services_by_name.values()
                     if name in service.methods_by_name]
        return f"/{service}/{name}"

    def http_headers(self, content_type):
        headers = {"Content-Type": content_type, "X-Client-Id": self.name}
        if self.rng.random() < 0.4:
            headers["Connect-Timeout-Ms"] = str(self.rng.choice([1, 20, 500]))
        return headers

    def http_expect(self, status, codes, what):
        self.codes[f"http {status}"] += 1
        if status not in codes:
            self.surprises.append(f"{what} over HTTP: {status}")

    def http_post(self, path, body, headers, codes, what):
        """Takes all of the answer, or leaves at some moment of it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=300)
        self.calls += 1
        try:
            connection.request("POST", path, body, headers)
            leave = self.rng.choice([None, None, None, 0, 0.01, 0.2])
            if leave is not None:
                time.sleep(leave)
                return
            answer = connection.getresponse()
            if self.rng.random() < 0.2:
                answer.read(self.rng.choice([1, 300]))
                return
            answer.read()
            self.http_expect(answer.status, codes, what)
        finally:
            connection.close()

    def http_unary(self):
        _, request = self.requests.unary(self.api)
        if request.DESCRIPTOR.full_name.startswith("grpc."):
            return
        if self.rng.random() < 0.5:
            body, kind = json_format.MessageToJson(request).encode(), "application/json"
        else:
            body, kind = request.SerializeToString(), "application/proto"
        headers = self.http_headers(kind)
        if self.rng.random() < 0.3:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        if self.rng.random() < 0.2:
            # In chunks, as a peer does that does not know the length.
            body = iter([part for part in (body[:7], body[7:]) if part])
        self.http_post(self.http_path(request), body, headers, GOOD, type(request).__name__)

    def http_stream(self):
        _, request = self.requests.stream(self.api)
        message = json_format.MessageToJson(request).encode()
        self.http_post(self.http_path(request), struct.pack(">BI", 0, len(message)) + message,
                       self.http_headers(STREAM), {200} | GOOD, type(request).__name__)

    def http_refused(self):
        _, request = self.requests.bad(self.api)
        if self.rng.random() < 0.5:
            body = json_format.MessageToJson(request)
        else:
            body = self.rng.choice(["", "{", "[]", '{"no": 1}', "\0"])
        self.http_post(self.http_path(request), body.encode(),
                       self.http_headers("application/json"), BAD, f"bad {type(request).__name__}")

    def http_completion(self):
        rng = self.rng
        prompt = rng.choice(["The", ["a", "the"], [5, 6], [[5], [6, 7]]])
        text = {"model": self.model_name, "prompt": prompt, "max_tokens": rng.choice([1, 5, 40]),
                "temperature": rng.choice([0, 1]), "n": rng.choice([1, 2]), "seed": 3,
                "stream": rng.random() < 0.5, "echo": rng.random() < 0.5,
                "logprobs": rng.choice([None, 0, 2]), "presence_penalty": rng.choice([0, 1])}
        self.calls += 3
        self.http_post("/v1/completions", json_format.json.dumps(text).encode(),
                       self.http_headers("application/json"), GOOD, "completions")

    def http_socket(self):
        """A peer that keeps no rule of HTTP, or does all at once."""
        one = (b"POST /alignsae.v1.ModelService/GetModel HTTP/1.1\r\nHost: localhost\r\n"
               b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        chunked = one.replace(b"Content-Length: 2\r\n\r\n{}", b"Transfer-Encoding: chunked\r\n\r\n")
        said = self.rng.choice([
            one * 5, one + b"GET", one[:40], chunked + b"fffffffffffffff\r\n{}",
            chunked + b"2\r\n{}\r\n", chunked + b"2;x\r\n{}\r\n0\r\nA: b\r\n\r\n" + one,
            b"\r\n\r\n\r\n\r\n", self.rng.randbytes(300), b"GET / HTTP/1.0\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
        self.calls += 6
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=5) as peer:
            peer.sendall(said)
            time.sleep(self.rng.choice([0, 0.02]))
