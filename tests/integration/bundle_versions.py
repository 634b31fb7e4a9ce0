"""Versions of the demo bundle that can be told apart by what they answer."""
import ctypes
import json
import os
import shutil

from alignsae_server import DEMO

# alpha of a swap that names none, by version: a receipt tells which one ran.
ALPHAS = {"1": 1.0, "2": 1.25}
# Tokens in front of the question differ too.
TEMPLATES = {"1": "Q: {question}\nA:", "2": "Q: Q: {question}\nA:"}
_AT_FDCWD, _EXCHANGE = -100, 2


def write_version(path, version, damage=None):
    """A copy of the demo at `path`, as `version`; `damage(path)` before it is done."""
    shutil.copytree(DEMO, path)
    manifest = json.loads((path / "bundle.json").read_text())
    manifest["version"] = version
    manifest["prompt_template"] = TEMPLATES.get(version, TEMPLATES["1"])
    manifest["saes"][0]["recommended"]["alpha"] = ALPHAS.get(version, 1.0)
    (path / "bundle.json").write_text(json.dumps(manifest))
    if damage:
        damage(path)


def exchange(one, other):
    """Puts each in the other's place at once, as the bundle writer does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), f"exchange {one} and {other}")
