"""Control vectors of llama.cpp, repeng and others: GGUF files with a tensor direction.N for the
output of block N. Every length is checked against the file."""
import pathlib
import re
import struct

import numpy

_MAX_ITEMS = 1 << 16
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_TYPES = {0: "<f4", 1: "<f2"}  # GGML's types of tensors that are read.


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if count > len(self.data) - self.at:
            raise ValueError(f"must have {count} bytes from {self.at} on, got "
                             f"{len(self.data) - self.at}")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, form):
        return struct.unpack("<" + form, self.take(struct.calcsize(form)))[0]

    def count(self, what):
        count = self.number("Q")
        if count > _MAX_ITEMS:
            raise ValueError(f"{what}: must be at most {_MAX_ITEMS}, got {count}")
        return count

    def string(self):
        return self.take(self.count("length of a string")).decode()

    def value(self, kind):
        """Strings and 32 bits; of others, what they are not needed for is passed over."""
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            kind, count = self.number("I"), self.count("length of an array")
            if kind == _ARRAY:
                raise ValueError("an array must not hold arrays")
            return [self.value(kind) for _ in range(count)]
        if kind not in _SIZES:
            raise ValueError(f"a value must have a type of GGUF, got {kind}")
        data = self.take(_SIZES[kind])
        return int.from_bytes(data, "little") if kind in (4, 5) else data


def parse_vectors(data):
    """{block: [D] float32} of the bytes of a file; ValueError says what is wrong."""
    reader = _Reader(data)
    if reader.take(4) != b"GGUF":
        raise ValueError("must begin with GGUF")
    version = reader.number("I")
    if version not in (2, 3):
        raise ValueError(f"version: must be 2 or 3, got {version}")
    tensors, fields = reader.count("number of tensors"), {}
    for _ in range(reader.count("number of fields")):
        key = reader.string()
        fields[key] = reader.value(reader.number("I"))
    architecture = fields.get("general.architecture")
    if architecture != "controlvector":
        raise ValueError(f"general.architecture: must be controlvector, got {architecture!r}")
    infos = []
    for _ in range(tensors):
        name, rank = reader.string(), reader.number("I")
        shape = [reader.number("Q") for _ in range(min(rank, 5))]
        infos.append((name, shape, reader.number("I"), reader.number("Q")))
    alignment = fields.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 16:
        raise ValueError(f"general.alignment: must be in [1, 65536], got {alignment!r}")
    begin = -(-reader.at // alignment) * alignment
    return dict(_vector(data, begin, *info) for info in infos)


def _vector(data, begin, name, shape, kind, offset):
    block = re.fullmatch(r"direction\.([1-9][0-9]{0,4})", name)
    if not block:
        raise ValueError(f"tensor {name!r}: must be called direction.N, N from 1")
    if len(shape) != 1 or not 1 <= shape[0] <= 1 << 20 or kind not in _TYPES:
        raise ValueError(f"tensor {name!r}: must be one row of F32 or F16, got shape {shape} of "
                         f"type {kind}")
    dtype = numpy.dtype(_TYPES[kind])
    at, size = begin + offset, shape[0] * dtype.itemsize
    if at + size > len(data):
        raise ValueError(f"tensor {name!r}: must end in the file of {len(data)} bytes, got "
                         f"{at + size}")
    row = numpy.frombuffer(data, dtype, shape[0], at).astype(numpy.float32)
    if not numpy.isfinite(row).all():
        raise ValueError(f"tensor {name!r}: must hold finite numbers")
    return int(block[1]), row


def read_vectors(path):
    """The same of a file."""
    try:
        return parse_vectors(pathlib.Path(path).read_bytes())
    except ValueError as wrong:
        raise ValueError(f"{path}: {wrong}") from None
