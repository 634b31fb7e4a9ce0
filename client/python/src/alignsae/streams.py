"""A corpus over one call: chunks of rows go out as the server takes them, what comes back in any
order is given out in the rows' own."""
import collections
import threading
import time

from alignsae import errors, tasks

MOST_CHUNKS = 32  # Sent or to be given out: what a run holds at once.


class _Chunk:
    def __init__(self, task, rows):
        self.rows = rows
        self.done, self.asked, self.prompts = tasks.prepare(task, rows)
        self.made = None if self.prompts else self.done


class Reader:
    """Reads chunks of rows, an iterator of lists, with `task` over ReadConceptsStream."""

    def __init__(self, client, task, chunks):
        self._client, self._task, self._chunks = client, task, chunks
        self._room = threading.Semaphore(MOST_CHUNKS)
        self._lock = threading.Lock()
        self._open = collections.deque()  # In the rows' order, not yet given out.
        self._turn = 0  # Of the call that may take chunks.

    def __iter__(self):
        """What is made of each chunk, in order. A server that goes is followed to the next one,
        where what has no answer is asked again. UNIMPLEMENTED is raised: see `left`."""
        attempts = self._client._attempts()  # pylint: disable=protected-access
        try:
            while True:
                try:
                    for made in self._call():
                        attempts = self._client._attempts()  # pylint: disable=protected-access
                        yield made
                    return
                except errors.UnavailableError as error:
                    pause = attempts.pause(error)
                    if pause is None:
                        raise
                    time.sleep(pause)
        finally:
            self._next_turn()

    def left(self):
        """The chunks that nothing was given out of: for another way."""
        self._next_turn()
        for chunk in self._open:
            yield chunk.rows
        yield from self._chunks

    def _next_turn(self):
        with self._lock:
            self._turn += 1
            return self._turn

    def _call(self):
        turn = self._next_turn()
        sent = []
        again = [chunk for chunk in self._open if chunk.made is None]
        answers = self._client.read_stream(
            self._prompts(turn, again, sent), checkpoint=self._task.checkpoint,
            position=self._task.position)
        for index, result in answers:
            chunk = sent[index]
            if isinstance(result, errors.AlignSaeError):
                # A bad row among good ones, or no room now: each has its own way.
                chunk.made = tasks.process(self._client, self._task, chunk.rows)
            else:
                chunk.made = tasks.answered(chunk.rows, chunk.done, chunk.asked,
                                            self._task.answers(result))
            yield from self._ready()
        yield from self._ready()

    def _prompts(self, turn, again, sent):
        """What the call sends, on a thread of gRPC's; `sent` gets the chunk of each index."""
        for chunk in again:
            sent.append(chunk)
            yield chunk.prompts
        while True:
            while not self._room.acquire(timeout=0.2):
                if self._turn != turn:
                    return
            with self._lock:
                rows = next(self._chunks, None) if self._turn == turn else None
                if rows is None:
                    self._room.release()
                    return
                chunk = _Chunk(self._task, rows)
                self._open.append(chunk)
            if chunk.prompts:
                sent.append(chunk)
                yield chunk.prompts

    def _ready(self):
        while self._open and self._open[0].made is not None:
            chunk = self._open.popleft()
            self._room.release()
            yield chunk.made
