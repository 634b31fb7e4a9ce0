"""Client: blocking calls of the AlignSAE server."""
import dataclasses
import functools
import inspect
import time
import typing
from typing import (Any, Callable, Concatenate, Generic, Iterable, Iterator, Optional, ParamSpec,
                    Self, Sequence, TypeVar)

import grpc

from alignsae import _wire, answers, calls, errors, search_answers
from alignsae.channels import Options, open_channel
from alignsae.edits import Prompt
from alignsae.retries import Attempts, Budget

P = ParamSpec("P")
T = TypeVar("T")


def as_method(build, method):
    """`method` with the name, the text and the parameters of the call that `build` makes."""
    functools.update_wrapper(method, build)
    signature = inspect.signature(build)
    self = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    made = typing.get_args(signature.return_annotation)
    method.__signature__ = signature.replace(
        parameters=[self, *signature.parameters.values()],
        return_annotation=made[0] if made else signature.empty)
    return method


def _unary(build: Callable[P, calls.Call[T]]) -> Callable[Concatenate["Client", P], T]:
    def method(self, *args, **kwargs):
        return self._run(build(*args, **kwargs))
    return as_method(build, method)


def _stream(build: Callable[P, calls.Call[T]]) -> Callable[Concatenate["Client", P], "Stream[T]"]:
    def method(self, *args, **kwargs):
        return self._open(build(*args, **kwargs))
    return as_method(build, method)


def _sweep(build: Callable[P, calls.Call[answers.SweepEvent]]
           ) -> Callable[Concatenate["Client", P], answers.SweepAnswer]:
    def method(self, *args, **kwargs):
        return answers.SweepAnswer.of(self._open(build(*args, **kwargs)))
    return as_method(build, method)


def _matrix(build: Callable[P, calls.Call[search_answers.MatrixEvent]]
            ) -> Callable[Concatenate["Client", P], search_answers.MatrixAnswer]:
    def method(self, *args, **kwargs):
        return search_answers.MatrixAnswer.of(self._open(build(*args, **kwargs)))
    return as_method(build, method)


class BaseClient:
    """What Client and AsyncClient have in common."""

    _module: Any = grpc

    def __init__(self, server: str = "127.0.0.1:50051", **options: Any):
        """Options: see alignsae.Options."""
        self.options = Options(server=server, **options)
        self._channel = open_channel(self.options, self._module)
        self._budget = Budget(self.options.retries.budget)
        self._rpcs: dict[str, Any] = {}  # By method.

    def with_options(self, **changes: Any) -> Self:
        """A client of the same connections with another timeout, request_id, client_id or
        retries. Closing either closes both."""
        refused = set(changes) - {"timeout", "request_id", "client_id", "retries"}
        if refused:
            raise TypeError(f"{sorted(refused)[0]}: is settled when a client is made")
        other = object.__new__(type(self))
        other.options = dataclasses.replace(self.options, **changes)
        other._channel, other._rpcs = self._channel, self._rpcs
        other._budget = self._budget
        if "retries" in changes:
            other._budget = Budget(other.options.retries.budget)
        return other

    def _attempts(self):
        return Attempts(self.options.retries, self._budget, self.options.timeout)

    def _rpc(self, call, kind):
        """What carries out calls of this method."""
        if call.method not in self._rpcs:
            path, request, response = _wire.method(call.method)
            self._rpcs[call.method] = getattr(self._channel, kind)(
                path, request_serializer=request.SerializeToString,
                response_deserializer=response.FromString)
        return self._rpcs[call.method]


class Client(BaseClient):
    """Blocking calls. Every call has a deadline, is tried again where the server says so,
    and goes to the servers in turn. May be used from several threads.

        with alignsae.Client("127.0.0.1:50051") as client:
            print(client.read("Where was Ada Lunt born?")[0].top_concept)
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self):
        """Ends the connections; calls that run are cancelled."""
        self._channel.close()

    model = _unary(calls.model)
    concepts = _unary(calls.concepts)
    tokenize = _unary(calls.tokenize)
    detokenize = _unary(calls.detokenize)
    read = _unary(calls.read)
    inspect = _unary(calls.inspect)
    explain = _unary(calls.explain)
    swap = _unary(calls.swap)
    complete = _unary(calls.complete)
    generate = _stream(calls.generate)
    sweep = _sweep(calls.sweep)
    sweep_events = _stream(calls.sweep)
    matrix = _matrix(calls.matrix)
    matrix_events = _stream(calls.matrix)
    find_alpha = _unary(calls.find_alpha)
    watch = _stream(calls.watch)
    validate = _stream(calls.validate)

    def read_stream(self, batches: Iterable[Sequence[Prompt]], *, checkpoint: str = "",
                    position: Optional[int] = None
                    ) -> Iterator[tuple[int, answers.ReadAnswer | errors.AlignSaeError]]:
        """Reads many lists of prompts over one call, which has no deadline and is not tried
        again. `batches` is asked for the next list, on another thread, as the server takes
        them. Gives (number of the list, its answer or its error) as they come, in any order."""
        path, request, response = _wire.method("ConceptService/ReadConceptsStream")

        def requests():
            for prompts in batches:
                read = calls.read(prompts, checkpoint=checkpoint, position=position)
                yield request(read=read.request)
        call = self._channel.stream_stream(
            path, request_serializer=request.SerializeToString,
            response_deserializer=response.FromString)(
                requests(), metadata=self.options.metadata())
        try:
            for message in call:
                if message.HasField("error"):
                    yield message.index, errors.from_read_error(message.error)
                else:
                    yield message.index, answers.from_message(message.answer)
        except grpc.RpcError as failed:
            raise errors.from_rpc(failed) from failed
        finally:
            call.cancel()

    def _run(self, call):
        rpc, attempts = self._rpc(call, "unary_unary"), self._attempts()
        while True:
            try:
                answer = rpc(call.request, timeout=attempts.left(),
                             metadata=self.options.metadata())
            except grpc.RpcError as failed:
                wait_or_raise(attempts, failed)
                continue
            attempts.succeeded()
            return call.parse(answer)

    def _open(self, call):
        rpc, attempts = self._rpc(call, "unary_stream"), self._attempts()
        return Stream(lambda: rpc(call.request, timeout=attempts.left(),
                                  metadata=self.options.metadata()), call.parse, attempts)


def wait_or_raise(attempts, failed):
    """Sleeps until the next try; raises where there is none."""
    error = errors.from_rpc(failed)
    pause = attempts.pause(error)
    if pause is None:
        raise error from failed
    time.sleep(pause)


class Stream(Generic[T]):
    """The events of a stream, as they come. `cancel` ends it early, and so does leaving its
    `with` block."""

    def __init__(self, start, parse, attempts):
        self._start, self._parse, self._attempts = start, parse, attempts
        self._begun = False
        self._call = start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while True:
            try:
                message = next(self._call)
            except StopIteration:
                raise
            except grpc.RpcError as failed:
                if self._begun:
                    raise errors.from_rpc(failed) from failed
                wait_or_raise(self._attempts, failed)
                self._call = self._start()
                continue
            if not self._begun:
                self._begun = True
                self._attempts.succeeded()
            return self._parse(message)

    def cancel(self):
        """Tells the server to stop; what comes next raises CallCancelledError."""
        self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.cancel()
