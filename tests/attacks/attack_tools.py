"""What the attacks are made of: raw HTTP/2 peers that keep no rule, and a watch
over the server's memory.

Everything goes to a server of our own on loopback and is bounded in time.
"""
import os
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags,
                                                            stream) + payload


def literal(name, value):
    """A header field that no table knows and that is not compressed."""
    def text(data):
        data = data.encode() if isinstance(data, str) else data
        if len(data) < 127:
            return bytes([len(data)]) + data
        rest, size = len(data) - 127, b"\x7f"
        while rest >= 128:
            size += bytes([rest % 128 + 128])
            rest //= 128
        return size + bytes([rest]) + data
    return b"\0" + text(name) + text(value)


def grpc_headers(path, more=()):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path),
              (":authority", "localhost"), ("te", "trailers"),
              ("content-type", "application/grpc"), *more]
    return b"".join(literal(name, value) for name, value in fields)


def message(request):
    body = request.SerializeToString()
    return b"\0" + struct.pack(">I", len(body)) + body


class Peer:
    """One HTTP/2 connection that writes what it is told and reads only when asked."""

    def __init__(self, port, window=65535, acknowledge=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.next_stream = 1
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                  frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, window)))
        if acknowledge:
            self.send(frame(SETTINGS, ACK, 0))

    def send(self, data):
        self.socket.sendall(data)

    def call(self, path, request, more=()):
        """Starts a call; returns the number of its stream."""
        stream = self.next_stream
        self.next_stream += 2
        body, frames = message(request), b""
        for at in range(0, len(body), 16384):
            last = at + 16384 >= len(body)
            frames += frame(DATA, END_STREAM if last else 0, stream, body[at:at + 16384])
        self.send(frame(HEADERS, END_HEADERS, stream, grpc_headers(path, more)) + frames)
        return stream

    def drain(self):
        """Takes what has come, without waiting and without ever asking for more."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except OSError:
            pass
        self.socket.settimeout(10)

    def close(self):
        self.socket.close()


def resident_mib(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") / (1 << 20)


class MemoryWatch:
    """Samples the resident memory of a process for as long as it is entered."""

    def __init__(self, pid):
        self.pid = pid
        self.before = resident_mib(pid)
        self.peak = self.before
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._stop.wait(0.01):
            try:
                self.peak = max(self.peak, resident_mib(self.pid))
            except (OSError, IndexError):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def back_within(self, seconds, growth=1.05, slack=8):
        """Seconds until the memory is `growth` of what it was (and `slack` MiB); None: never."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if resident_mib(self.pid) <= self.before * growth + slack:
                return time.monotonic() - begin
            time.sleep(0.1)
        return None
