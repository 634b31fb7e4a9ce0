"""AsyncClient: the calls of Client for asyncio."""
import asyncio
from typing import (Any, AsyncIterator, Awaitable, Callable, Concatenate, Generic, ParamSpec,
                    Self, TypeVar)

import grpc
import grpc.aio

from alignsae import answers, calls, errors, search_answers
from alignsae.client import BaseClient, as_method

P = ParamSpec("P")
T = TypeVar("T")


def _unary(build: Callable[P, calls.Call[T]]
           ) -> Callable[Concatenate["AsyncClient", P], Awaitable[T]]:
    async def method(self, *args, **kwargs):
        return await self._run(build(*args, **kwargs))
    return as_method(build, method)


def _stream(build: Callable[P, calls.Call[T]]
            ) -> Callable[Concatenate["AsyncClient", P], "AsyncStream[T]"]:
    def method(self, *args, **kwargs):
        return self._open(build(*args, **kwargs))
    return as_method(build, method)


def _sweep(build: Callable[P, calls.Call[answers.SweepEvent]]
           ) -> Callable[Concatenate["AsyncClient", P], Awaitable[answers.SweepAnswer]]:
    async def method(self, *args, **kwargs):
        stream = self._open(build(*args, **kwargs))
        return answers.SweepAnswer.of([event async for event in stream])
    return as_method(build, method)


def _matrix(build: Callable[P, calls.Call[search_answers.MatrixEvent]]
            ) -> Callable[Concatenate["AsyncClient", P], Awaitable[search_answers.MatrixAnswer]]:
    async def method(self, *args, **kwargs):
        stream = self._open(build(*args, **kwargs))
        return search_answers.MatrixAnswer.of([event async for event in stream])
    return as_method(build, method)


class AsyncClient(BaseClient):
    """As Client. Make it inside the event loop that uses it.

        async with alignsae.AsyncClient("127.0.0.1:50051") as client:
            async for event in client.generate("Where was Ada Lunt born?"):
                ...
    """

    _module = grpc.aio

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def close(self):
        """Ends the connections; calls that run are cancelled."""
        await self._channel.close()

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

    async def _run(self, call):
        rpc, attempts = self._rpc(call, "unary_unary"), self._attempts()
        while True:
            try:
                answer = await rpc(call.request, timeout=attempts.left(),
                                   metadata=self.options.metadata())
            except grpc.RpcError as failed:
                await wait_or_raise(attempts, failed)
                continue
            attempts.succeeded()
            return call.parse(answer)

    def _open(self, call):
        rpc, attempts = self._rpc(call, "unary_stream"), self._attempts()
        return AsyncStream(lambda: rpc(call.request, timeout=attempts.left(),
                                       metadata=self.options.metadata()), call.parse, attempts)


async def wait_or_raise(attempts, failed):
    """As client.wait_or_raise."""
    error = errors.from_rpc(failed)
    pause = attempts.pause(error)
    if pause is None:
        raise error from failed
    await asyncio.sleep(pause)


class AsyncStream(Generic[T]):
    """As client.Stream, with `async for` and `async with`."""

    def __init__(self, start, parse, attempts):
        self._start, self._parse, self._attempts = start, parse, attempts
        self._begun = False
        self._call = start()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            try:
                message = await self._call.read()
            except grpc.RpcError as failed:
                if self._begun:
                    raise errors.from_rpc(failed) from failed
                await wait_or_raise(self._attempts, failed)
                self._call = self._start()
                continue
            if message is grpc.aio.EOF:  # type: ignore[attr-defined]
                raise StopAsyncIteration
            if not self._begun:
                self._begun = True
                self._attempts.succeeded()
            return self._parse(message)

    def cancel(self):
        """Tells the server to stop."""
        self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.cancel()
