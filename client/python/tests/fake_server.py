"""A gRPC server that answers as a test says: a function for each method."""
import concurrent.futures

import grpc

from alignsae import _wire

STREAMS = ("SteeringService/Generate", "SteeringService/SweepAlpha")
BOTH_WAYS = ("ConceptService/ReadConceptsStream",)  # f(iterator of requests, context).


def refusal(context, code, message, *, reason="", retry_after=None, trailers=()):
    """Ends the call as the real server does: status, details, trailers."""
    status = _wire.message("google.rpc.Status")(code=code.value[0], message=message)
    if reason:
        info = _wire.message("google.rpc.ErrorInfo")(
            reason=reason, domain="alignsae.v1", metadata={"request_id": "r1"})
        status.details.add().Pack(info)
    if retry_after is not None:
        info = _wire.message("google.rpc.RetryInfo")()
        info.retry_delay.seconds = int(retry_after)
        info.retry_delay.nanos = round(retry_after % 1 * 1e9)
        status.details.add().Pack(info)
    context.set_trailing_metadata(
        (("grpc-status-details-bin", status.SerializeToString()), *trailers))
    context.abort(code, message)


class FakeServer:
    """`methods` is {"ConceptService/ReadConcepts": f(request, context) -> response}; of a
    stream, an iterator of responses. `seen` lists (method, metadata, seconds left)."""

    def __init__(self, methods, credentials=None):
        self.seen = []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self._handlers(methods),))
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self._server.start()

    def _handlers(self, methods):
        server = self

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                name = details.method.removeprefix(f"/{_wire.PACKAGE}.")
                if name not in methods:
                    return None
                _, request, response = _wire.method(name)

                def answer(message, context):
                    server.seen.append((name, dict(context.invocation_metadata()),
                                        context.time_remaining()))
                    return methods[name](message, context)
                make = (grpc.unary_stream_rpc_method_handler if name in STREAMS
                        else grpc.stream_stream_rpc_method_handler if name in BOTH_WAYS
                        else grpc.unary_unary_rpc_method_handler)
                return make(answer, request.FromString, response.SerializeToString)
        return Handler()

    @property
    def target(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self._server.stop(None).wait()


def reading(request, _=None):
    """A ReadConceptsResponse with two concepts; "b" is on top where the prompt says so."""
    answer = _wire.message("ReadConceptsResponse")(prompt_token_count=1)
    for slot, name in enumerate(("a", "b")):
        answer.concepts.add(name=name, slot=slot, active_mean=1, threshold=0.5)
    for prompt in request.prompts:
        words = prompt.question or prompt.text
        top = int("b" in words)
        answer.readings.add(prompt_token_ids=[1]).reading.MergeFrom(
            _wire.message("ConceptReading")(
                values=[1 - top, top], probabilities=[0.75 - top / 2, 0.25 + top / 2],
                top_concept="ab"[top], top_index=top, margin=0.5, bound=True))
    return answer


def careful(request, context):
    """As the server: one bad prompt fails the call."""
    for i, prompt in enumerate(request.prompts):
        if not prompt.question:
            refusal(context, grpc.StatusCode.INVALID_ARGUMENT,
                    f"prompts[{i}].question: must not be empty, got \"\"", reason="INVALID_FIELD")
    return reading(request)
