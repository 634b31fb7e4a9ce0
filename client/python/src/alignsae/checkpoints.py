"""Directories of SAE checkpoints: cfg.json and sae_weights.safetensors, read and written.
Needs the extra "vectors" (numpy, safetensors)."""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import tempfile

import numpy
import safetensors
import safetensors.numpy

WEIGHTS, CONFIG = "sae_weights.safetensors", "cfg.json"
HOOKS = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
_TYPES = {"F32": numpy.float32, "F16": numpy.float16, "F64": numpy.float64}


@dataclasses.dataclass(frozen=True)
class Directions:
    """What the slots of a checkpoint write. F features, D width of the residual stream."""
    hook: str                # One of HOOKS.
    layer: int               # Of that block.
    scale: float             # s: ADD writes h + s alpha W_dec[slot].
    rows: numpy.ndarray      # [F, D] W_dec, float32
    slots: dict[str, int]    # Concept -> feature index.
    model: str               # Name of the model where the file says it, else "".

    def slot(self, concept):
        """Feature index of a name, of "#4" or of 4; KeyError or IndexError says what is wrong."""
        if isinstance(concept, str) and concept in self.slots:
            return self.slots[concept]
        try:
            index = int(str(concept).removeprefix("#"))
        except ValueError:
            raise KeyError(f"no concept {concept!r}; there are {', '.join(self.slots) or 'none'}"
                           ) from None
        if not 0 <= index < len(self.rows):
            raise IndexError(f"slot: must be in [0, {len(self.rows) - 1}], got {index}")
        return index

    def name(self, slot):
        """Concept of a feature index; "" when it is none."""
        return next((name for name, own in self.slots.items() if own == slot), "")

    def direction(self, concept, alpha=1.0):
        """[D] What ADD at `alpha` adds to the residual: alpha s W_dec[slot]."""
        return (alpha * self.scale * self.rows[self.slot(concept)]).astype(numpy.float32)


def _tensor(entry):
    data, shape = entry["data"], entry["shape"]
    if entry["dtype"] == "BF16":  # The upper half of a float32.
        bits = numpy.frombuffer(data, "<u2").astype(numpy.uint32) << 16
        return bits.view(numpy.float32).reshape(shape)
    if entry["dtype"] not in _TYPES:
        raise ValueError(f"W_dec: must have dtype F32, F16, BF16 or F64, got {entry['dtype']}")
    return numpy.frombuffer(data, _TYPES[entry["dtype"]]).reshape(shape).astype(numpy.float32)


def _labels(directory):
    """{name: feature} of labels.jsonl, if there is one."""
    path = directory / "labels.jsonl"
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return {line["name"]: line["feature"] for line in lines}


def load_directions(directory):
    """The Directions of a checkpoint, ours or one of SAELens."""
    directory = pathlib.Path(directory)
    config = json.loads((directory / CONFIG).read_text("utf-8"))
    notes = {**config, **config.get("metadata", {})}
    hook = re.fullmatch(rf"blocks\.(\d+)\.hook_({'|'.join(HOOKS)})", notes.get("hook_name", ""))
    if not hook:
        raise ValueError(f"{directory / CONFIG}: metadata.hook_name: must be blocks.N.hook_X, X one "
                         f"of {', '.join(HOOKS)}, got {notes.get('hook_name')!r}")
    tensors = dict(safetensors.deserialize((directory / WEIGHTS).read_bytes()))
    own = config.get("alignsae", {})
    slots = {row["name"]: row["slot"] for row in own.get("concepts", [])}
    return Directions(hook[2], int(hook[1]), own.get("scale", 1.0), _tensor(tensors["W_dec"]),
                      slots or _labels(directory), notes.get("model_name") or "")


@contextlib.contextmanager
def _replacing(path):
    """A temporary name beside `path`, which takes its place at the end, so that no half of a
    file is ever seen."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
    os.close(handle)
    try:
        yield pathlib.Path(scratch)
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def save_sae(directory, config, tensors):
    """Writes cfg.json (`config`, a dict) and the tensors {name: float32 array}."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    contiguous = {name: numpy.ascontiguousarray(value, numpy.float32)
                  for name, value in tensors.items()}
    # Weights first: a directory with cfg.json is complete.
    with _replacing(directory / WEIGHTS) as scratch:
        safetensors.numpy.save_file(contiguous, scratch, {"format": "np"})
    with _replacing(directory / CONFIG) as scratch:
        scratch.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", "utf-8")
