"""Why a call failed, as exceptions with the facts that the server sends."""
import dataclasses
import re

import grpc

from alignsae import _wire

_Status = _wire.message("google.rpc.Status")
_RetryInfo = _wire.message("google.rpc.RetryInfo")
_ErrorInfo = _wire.message("google.rpc.ErrorInfo")


@dataclasses.dataclass(frozen=True)
class FieldViolation:
    """One value of the request that was outside its rule."""
    field: str  # Path in the request: "generation.top_p".
    rule: str   # "must be in (0, 1]".
    value: str  # As the server saw it: "1.5; the model has ...".


class AlignSaeError(Exception):
    """A call that failed. Subclasses say which way; `reason` (proto/README.md lists them)
    is for programs, the text is for people."""

    def __init__(self, code, message, *, reason="", metadata=None, retry_after=None,
                 retry_forbidden=False):
        super().__init__(f"{code}: {message}")
        self.code = code                # Name of the gRPC status: "INVALID_ARGUMENT".
        self.message = message          # The server's sentence.
        self.reason = reason            # ErrorInfo.reason; "" when the failure is not the server's.
        self.metadata = metadata or {}  # ErrorInfo.metadata: request_id, error_id.
        self.retry_after = retry_after  # Seconds to wait before another try; None: no advice.
        self.retry_forbidden = retry_forbidden  # grpc-retry-pushback-ms was negative.

    @property
    def request_id(self):
        """The call's x-request-id, which is in the server's log; "" when unknown."""
        return self.metadata.get("request_id", "")

    @property
    def violations(self):
        """The fields that were refused, as the sentence names them."""
        found = re.fullmatch(r"([\w.\[\]]+): (must .*?), got (.*)", self.message, re.S)
        return [FieldViolation(*found.groups())] if found else []

    def __reduce__(self):  # So that it passes between processes.
        return _rebuild, (type(self), self.code, self.message, dict(
            reason=self.reason, metadata=self.metadata, retry_after=self.retry_after,
            retry_forbidden=self.retry_forbidden))


def _rebuild(cls, code, message, facts):
    return cls(code, message, **facts)


class InvalidArgumentError(AlignSaeError):
    """A value outside its rule, a prompt or an answer that is too long: see `violations`."""


class NotFoundError(AlignSaeError):
    """No such checkpoint, concept or slot."""


class NotLoadedError(AlignSaeError):
    """Needs a checkpoint, a prompt template or the whole SAE, which is not loaded."""


class NotPermittedError(AlignSaeError):
    """The server's policy does not know who calls (code UNAUTHENTICATED: see Options.token), or
    does not allow it this (PERMISSION_DENIED)."""


class BusyError(AlignSaeError):
    """No room now (`retry_after` says when), or never for a request like this."""


class UnavailableError(AlignSaeError):
    """No server answers: it starts, drains, or is not there."""


class NonFiniteError(AlignSaeError):
    """The request's own interventions made the logits infinite or NaN."""


class DeadlineError(AlignSaeError):
    """The deadline passed."""


class CallCancelledError(AlignSaeError):
    """The call was cancelled."""


class ServerError(AlignSaeError):
    """Anything else, a fault of the server among them (`metadata["error_id"]`)."""


_CLASSES = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: NotLoadedError,
    grpc.StatusCode.UNAUTHENTICATED: NotPermittedError,
    grpc.StatusCode.PERMISSION_DENIED: NotPermittedError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: BusyError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    grpc.StatusCode.OUT_OF_RANGE: NonFiniteError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.CANCELLED: CallCancelledError,
}


def _details(trailers):
    """(reason, metadata, retry delay) of grpc-status-details-bin."""
    reason, metadata, delay = "", {}, None
    try:
        details = _Status.FromString(trailers.get("grpc-status-details-bin", b"")).details
        for detail in details:
            if detail.Is(_ErrorInfo.DESCRIPTOR):
                info = _ErrorInfo.FromString(detail.value)
                reason, metadata = info.reason, dict(info.metadata)
            elif detail.Is(_RetryInfo.DESCRIPTOR):
                pause = _RetryInfo.FromString(detail.value).retry_delay
                delay = max(0.0, pause.seconds + pause.nanos / 1e9)
    except Exception:  # pylint: disable=broad-except
        pass  # Details that are no details (a proxy's) are none: the status counts.
    return reason, metadata, delay


def from_read_error(error):
    """The exception of a ReadError, of one request of a stream."""
    [code] = [each for each in grpc.StatusCode if each.value[0] == error.code]
    known = error.HasField("retry_after_ms")
    forbidden = known and error.retry_after_ms < 0
    return _CLASSES.get(code, ServerError)(
        code.name, error.message, reason=error.reason, retry_forbidden=forbidden,
        retry_after=error.retry_after_ms / 1000 if known and not forbidden else None)


def from_rpc(error):
    """The exception of a grpc.RpcError, of the synchronous API or of asyncio's."""
    trailers = {}
    for key, value in error.trailing_metadata() or ():
        trailers.setdefault(key, value)
    reason, metadata, delay = _details(trailers)
    forbidden = False
    try:
        pushback = int(trailers["grpc-retry-pushback-ms"])
        forbidden = pushback < 0
        if not forbidden:
            delay = max(delay or 0.0, pushback / 1000)
    except (KeyError, ValueError):
        pass
    code = error.code()
    return _CLASSES.get(code, ServerError)(
        code.name, error.details() or "", reason=reason, metadata=metadata,
        retry_after=None if forbidden else delay, retry_forbidden=forbidden)
