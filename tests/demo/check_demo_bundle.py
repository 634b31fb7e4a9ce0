#!/usr/bin/env python3
"""Fails when the shipped bundle does not keep what the README says of it: the
floors on its stored figures, its size, how it was made; and when a sample that is
measured afresh, through the engine, is far from the stored table.

    check_demo_bundle.py ALIGNSAE_TRAIN BUNDLE
"""
import json
import pathlib
import subprocess
import sys

MAX_BYTES = 24 << 20
# 30 of the 200 people: 300 tries for each target. Of a rate of 0.96 that is 0.011
# standard deviations, so 0.05 is rarely chance, and a broken part is far more.
SAMPLE = ["--sample", "15", "--compare", "0.05"]

# Path in the evaluation -> least value.
FLOORS = {
    "language_model/test/asked/whole": 0.98,
    "language_model/test/never_asked/whole": 0.92,
    "test/binding/diagonal_accuracy": 0.99,
    "test/swap/all/whole": 0.90,
}
TARGET_FLOOR = 0.80
BASELINES = {"class_means", "without_perp", "without_val", "without_stage1", "stage1_features"}


def at(tree, path):
    for name in path.split("/"):
        tree = tree[name]
    return tree


def complaints(manifest, size):
    evaluation = manifest["evaluation"]
    for path, floor in FLOORS.items():
        if at(evaluation, path) < floor:
            yield f"{path}: must be at least {floor}, is {at(evaluation, path)}"
    for target, figures in evaluation["test"]["swap"]["by_target"].items():
        if figures["all"]["whole"] < TARGET_FLOOR:
            yield f"swap to {target}: must be at least {TARGET_FLOOR}, is {figures['all']['whole']}"
    missing = BASELINES - evaluation["baselines"].keys()
    if missing:
        yield f"baselines: must hold {sorted(missing)}"
    if "unseen" not in evaluation:
        yield "evaluation: must tell of wordings that the language model never saw"
    if not manifest["provenance"]["command"].startswith("alignsae-train pipeline --preset demo"):
        yield f"provenance: must be the demo preset, is {manifest['provenance']['command']}"
    if size > MAX_BYTES:
        yield f"size: must be at most {MAX_BYTES} bytes, is {size}"


def main():
    trainer, bundle = sys.argv[1], pathlib.Path(sys.argv[2])
    manifest = json.loads((bundle / "bundle.json").read_text())
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    wrong = list(complaints(manifest, size))
    for sentence in wrong:
        print(sentence)
    done = subprocess.run([trainer, "eval", "--bundle", bundle, *SAMPLE], check=False)
    sys.exit(1 if wrong or done.returncode else 0)


if __name__ == "__main__":
    main()
