"""Directions of a checkpoint as files for other tools, and which of them are alike.

    python -m alignsae.vectors sae/mine --concept employer --out employer.gguf
    python -m alignsae.vectors model/demo/sae/main --concept employer --alpha 2 --out employer.npy
    python -m alignsae.vectors model/demo/sae/main --concept employer --nearest 5
    python -m alignsae.vectors model/demo/sae/main --similarity
    python -m alignsae.vectors pirate.gguf --alpha 2 > edits.jsonl

The last reads a control vector of others and prints an edit a line, for `alignsae generate
--edit-json`; alignsae.vectors.edits_of gives them to a Client. A .gguf is a control vector as llama.cpp loads it (--control-vector), which adds it at every
position; .npy and .safetensors hold the same numbers, [D] in units of the residual stream:
alpha s W_dec[slot], what ADD adds. Needs the extra "vectors".
"""
import argparse
import pathlib
import struct
import sys

import numpy
import safetensors.numpy
from google.protobuf import json_format

from alignsae import edits
from alignsae.checkpoints import load_directions
from alignsae.gguf_file import read_vectors

_UINT32, _STRING, _F32 = 4, 8, 0  # GGUF's types of values, and of a tensor.
_ALIGNMENT = 32


def block_of(directions):
    """The block whose output the checkpoint's hook is: what GGUF counts by, from 1.
    ValueError where no control vector can be put there."""
    block = directions.layer - (directions.hook == "resid_pre")
    if block < 1 or not directions.hook.startswith("resid_p"):
        raise ValueError(f"{directions.hook}[{directions.layer}]: a control vector is added to the "
                         "output of block 1 or above, so none can stand for it")
    return block


def _string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _field(key, value):
    if isinstance(value, str):
        return _string(key) + struct.pack("<I", _STRING) + _string(value)
    return _string(key) + struct.pack("<II", _UINT32, value)


def gguf_bytes(vectors, model_hint="gpt2"):
    """A control vector file: `vectors` is {block >= 1: [D]}."""
    if not vectors or min(vectors) < 1:
        raise ValueError(f"blocks: must be 1 or above, and one at least, got {sorted(vectors)}")
    rows = {block: numpy.asarray(vectors[block], "<f4") for block in sorted(vectors)}
    if len({row.shape for row in rows.values()}) > 1 or next(iter(rows.values())).ndim != 1:
        raise ValueError("vectors: must all be of one length")
    fields = {"general.architecture": "controlvector", "controlvector.model_hint": model_hint,
              "controlvector.layer_count": len(rows)}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(fields))
    head += b"".join(_field(*pair) for pair in fields.items())
    data = b""
    for block, row in rows.items():
        head += _string(f"direction.{block}") + struct.pack("<IQIQ", 1, len(row), _F32, len(data))
        data += row.tobytes()
        data += bytes(-len(data) % _ALIGNMENT)
    return head + bytes(-len(head) % _ALIGNMENT) + data


def similarity(directions, concepts=None):
    """(names, [n, n]): cosines of the directions of the concepts, or of those that are named."""
    names = list(concepts or directions.slots)
    rows = directions.rows[[directions.slot(name) for name in names]].astype(numpy.float64)
    norms = numpy.linalg.norm(rows, axis=1, keepdims=True)
    units = numpy.divide(rows, norms, out=numpy.zeros_like(rows), where=norms > 0)
    return names, units @ units.T


def edits_of(vectors, alpha=1.0):
    """Edits for Client.generate that add `alpha` times each of {block: [D]} to the output of its
    block at every position, as llama.cpp does."""
    return [edits.Edit("add", vector=vector.tolist(), hook=f"resid_post[{block}]", alpha=alpha,
                       positions="all", generated=True)
            for block, vector in sorted(vectors.items())]


def nearest(directions, concept, count=10):
    """The features whose directions have the largest cosine with that of `concept` (a name,
    a feature index, or a vector [D]): (slot, name or "", cosine), the largest first. The
    feature itself is left out."""
    rows, own = directions.rows, None
    if isinstance(concept, (str, int)):
        own = directions.slot(concept)
        concept = rows[own]
    vector = numpy.asarray(concept, rows.dtype)
    norms = numpy.linalg.norm(rows, axis=1) * numpy.linalg.norm(vector)
    cosines = numpy.divide(rows @ vector, norms, out=numpy.zeros_like(norms), where=norms > 0)
    order = [slot for slot in numpy.argsort(-cosines, kind="stable") if slot != own]
    return [(int(slot), directions.name(slot), float(cosines[slot])) for slot in order[:count]]


def save(path, directions, concept, alpha=1.0, model_hint=None):
    """Writes the direction as .gguf, .npy or .safetensors, by the name's ending."""
    path = pathlib.Path(path)
    vector = directions.direction(concept, alpha)
    if path.suffix == ".gguf":
        hint = model_hint or directions.model or "gpt2"
        path.write_bytes(gguf_bytes({block_of(directions): vector}, hint))
    elif path.suffix == ".npy":
        numpy.save(path, vector)
    elif path.suffix == ".safetensors":
        notes = {"hook_name": f"blocks.{directions.layer}.hook_{directions.hook}",
                 "concept": str(concept), "alpha": str(alpha)}
        safetensors.numpy.save_file({"vector": vector}, path, notes)
    else:
        raise ValueError(f"{path}: must end in .gguf, .npy or .safetensors")


def print_similarity(directions):
    """A table with tabs: a row and a column for each concept."""
    names, cosines = similarity(directions)
    print("\t".join(["", *names]))
    for name, row in zip(names, cosines):
        print("\t".join([name, *(f"{cosine:.4f}" for cosine in row)]))


def print_edits(path, alpha):
    """An edit a line, as JSON."""
    for edit in edits_of(read_vectors(path), alpha):
        print(json_format.MessageToJson(edits.edit_message(edit), indent=None))


def main(arguments=None):
    parser = argparse.ArgumentParser("alignsae.vectors", description=__doc__.splitlines()[0])
    parser.add_argument("source", help="directory with cfg.json and sae_weights.safetensors, or a "
                        "control vector (.gguf)")
    parser.add_argument("--concept", help="name, or #N for feature N")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--out", help="file to write: .gguf, .npy or .safetensors")
    parser.add_argument("--model-hint", help="model that a .gguf is for (default: the SAE's, "
                        "or gpt2)")
    parser.add_argument("--nearest", type=int, metavar="N", help="print the N most alike")
    parser.add_argument("--similarity", action="store_true",
                        help="print the cosines between all concepts")
    args = parser.parse_args(arguments)
    try:
        if args.source.endswith(".gguf"):
            print_edits(args.source, args.alpha)
            return
        if args.similarity:
            print_similarity(load_directions(args.source))
            return
        if not args.concept or (not args.out and args.nearest is None):
            parser.error("give --similarity, or --concept with --out, --nearest or both")
        directions = load_directions(args.source)
        if args.nearest is not None:
            for slot, name, cosine in nearest(directions, args.concept, args.nearest):
                print(f"{slot}\t{name or '-'}\t{cosine:.4f}")
        if args.out:
            save(args.out, directions, args.concept, args.alpha, args.model_hint)
    except (OSError, KeyError, IndexError, ValueError) as wrong:
        sys.exit(f"alignsae.vectors: {wrong.args[0] if isinstance(wrong, LookupError) else wrong}")


if __name__ == "__main__":
    main()
