"""When a call that failed is tried again, and how many such tries there may be."""
import dataclasses
import random
import threading
import time

from alignsae import errors


@dataclasses.dataclass(frozen=True)
class Retries:
    """What is tried again: UNAVAILABLE, and RESOURCE_EXHAUSTED where the server says when.
    A stream of which something has arrived never is."""
    max_attempts: int = 5     # Of one call, the first included. 1: never again.
    first_pause: float = 0.1  # Seconds, doubled with each try; used where nothing is advised.
    max_pause: float = 2.0
    # Tries again that may be spent at once, over all calls of a client; 0: no limit. Each
    # takes one, each call that succeeds gives a tenth back: for long, tries again add a
    # tenth to the calls and no more, whatever fails.
    budget: int = 20


_TENTHS = 10  # A budget counts in tenths.


class Budget:
    """The tries again that are left. Safe to use from several threads."""

    def __init__(self, size):
        self._size = size
        self._left = size * _TENTHS
        self._lock = threading.Lock()

    def take(self):
        """Whether one was left."""
        with self._lock:
            if self._size and self._left < _TENTHS:
                return False
            self._left -= _TENTHS
            return True

    def give(self):
        """After a success."""
        with self._lock:
            self._left = min(self._size * _TENTHS, self._left + 1)


class Attempts:
    """The tries of one call within its deadline."""

    def __init__(self, policy, budget, timeout, clock=time.monotonic):
        self._policy, self._budget, self._clock = policy, budget, clock
        self._deadline = clock() + timeout
        self._made = 1

    def left(self):
        """Seconds to the deadline, above 0."""
        return max(0.001, self._deadline - self._clock())

    def pause(self, error):
        """Seconds to wait before the next try; None: there is none."""
        if self._made >= self._policy.max_attempts or error.retry_forbidden:
            return None
        if isinstance(error, errors.BusyError):
            if error.retry_after is None:
                return None
        elif not isinstance(error, errors.UnavailableError):
            return None
        own = min(self._policy.max_pause, self._policy.first_pause * 2 ** (self._made - 1))
        if error.retry_after is None:
            pause = own * random.uniform(0.5, 1)
        else:  # Never sooner; a little later, so that not all come at once.
            pause = error.retry_after + own * random.uniform(0, 0.5)
        if self._clock() + pause >= self._deadline or not self._budget.take():
            return None
        self._made += 1
        return pause

    def succeeded(self):
        self._budget.give()
