#!/usr/bin/env python3
"""Fails when a shipped bundle does not keep what the README says of it: the
floors on its stored figures, its size, how it was made; and when a sample that is
measured afresh, through the engine, is far from the stored table.

    check_demo_bundle.py ALIGNSAE_TRAIN BUNDLE      model/demo or model/countries
"""
import json
import pathlib
import subprocess
import sys

MAX_BYTES = 24 << 20
# 30 of them, always the same: not chance but another machine's rounding
# moves a figure, and the sample's own distance from all people, 0.031 at most.
SAMPLE = ["--sample", "15", "--compare", "0.05"]

# Path in the evaluation -> least value.
FLOORS = {
    "language_model/test/asked/whole": 0.98,
    "language_model/test/never_asked/whole": 0.92,
    "test/binding/diagonal_accuracy": 0.99,
    "test/swap/all/whole": 0.90,
}
# Families of wordings that neither the language model nor the SAE saw, and the two of ten.
UNSEEN_FLOORS = {
    "language_model/families/all/whole": 0.90,
    "families/binding/diagonal_accuracy": 0.95,
    "families/swap/all/whole": 0.90,
    "unseen/swap/all/whole": 0.90,
}
TARGET_FLOOR = 0.80
# What each claims.
BUNDLES = {
    "demo": {
        "command": "alignsae-train pipeline --preset grammar",
        "floors": {**FLOORS, **UNSEEN_FLOORS},
        "by_target": ("test", "families"),
        "baselines": {"class_means", "without_perp", "without_val", "without_stage1",
                      "stage1_features"},
    },
    "countries": {
        "command": "alignsae-train pipeline --preset countries",
        "floors": {**FLOORS, "test/swap/above_chance": 0.90},
        "by_target": ("test",),
        "baselines": {"class_means"},
    },
}


def at(tree, path):
    for name in path.split("/"):
        tree = tree[name]
    return tree


def readme_complaints(evaluation):
    """The README's table of figures is what the bundle says."""
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    swap = evaluation["test"]["swap"]
    answers = evaluation["language_model"]["test"]
    rows = {
        "language model answers": answers, "swap answers the other relation": swap}
    for start, figures in rows.items():
        want = [f"{figures[half]['whole']:.3f}" for half in ("all", "asked", "never_asked")]
        row = next((line for line in readme.splitlines() if line.startswith(f"| {start}")), "")
        if [cell.strip() for cell in row.split("|")[2:5]] != want:
            yield f"README, {start}: must be {want}, is {row!r}"
    for title, want in (
            ("| whole string | 0.9", [f"{swap['by_target'][name]['all']['whole']:.3f}"
                                      for name in sorted(swap["by_target"])]),
            ("| whole string | 0.1", [f"{row['whole']:.3f}" for row in swap["alpha_curve"]])):
        row = next((line for line in readme.splitlines() if line.startswith(title)), "")
        if [cell.strip() for cell in row.split("|")[2:-1]] != want:
            yield f"README: must hold the row {want}, has {row!r}"
    unseen = evaluation["unseen"]["swap"]["all"]["whole"]
    if f"swaps succeed for {unseen:.3f}" not in " ".join(readme.split()):
        yield f"README: must say that swaps on unseen wordings succeed for {unseen:.3f}"


def example_complaints(manifest):
    """Every example is a wording of its own relation about a person of the data."""
    data = pathlib.Path(sys.argv[2]) / "eval"
    people = [json.loads(line) for line in (data / "people.jsonl").open()]
    wordings = [json.loads(line) for line in (data / "wordings.jsonl").open()]
    for entry in manifest["saes"][0]["concepts"]:
        questions = {wording["pattern"].replace("{name}", person["name"])
                     for wording in wordings if wording["relation"] == entry["name"]
                     for person in people}
        if entry["example"] not in questions:
            yield f"{entry['name']}: example {entry['example']!r} asks it of nobody in the data"


def certificate_complaints(manifest):
    """Every concept has a certificate, of a slot that writes."""
    for entry in manifest["saes"][0]["concepts"]:
        name = entry["name"]
        certificate = entry.get("certificate")
        if not certificate or "measured_swap" not in certificate:
            yield f"{name}: must have a write certificate with a measured swap"
        elif certificate["cosine"] < 0.9 or certificate["written_share"] < 0.75:
            yield f"{name}: must write its concept, is {certificate}"


def readme_certificate_complaints(manifest):
    """The README shows the certificates."""
    readme = (pathlib.Path(__file__).parents[2] / "README.md").read_text()
    rows = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]]
            for line in readme.splitlines() if line.startswith("| ")}
    concepts = {entry["name"]: entry for entry in manifest["saes"][0]["concepts"]}
    for title, figure in (("cosine", "cosine"), ("written share", "written_share"),
                          ("predicted alpha", "predicted_alpha")):
        want = [f"{concepts[name]['certificate'][figure]:.3f}" for name in sorted(concepts)]
        if rows.get(title) != want:
            yield f"README, {title}: must be {want}, is {rows.get(title)}"


def complaints(claims, manifest, size):
    evaluation = manifest["evaluation"]
    for path, floor in claims["floors"].items():
        if at(evaluation, path) < floor:
            yield f"{path}: must be at least {floor}, is {at(evaluation, path)}"
    for split in claims["by_target"]:
        for target, figures in evaluation[split]["swap"]["by_target"].items():
            whole = figures["all"]["whole"]
            if whole < TARGET_FLOOR:
                yield f"{split}: swap to {target}: must be at least {TARGET_FLOOR}, is {whole}"
    missing = claims["baselines"] - evaluation["baselines"].keys()
    if missing:
        yield f"baselines: must hold {sorted(missing)}"
    protocol = evaluation["protocol"]
    if protocol["people"] < 120 or protocol["asked"] != protocol["never_asked"]:
        yield f"people: must be at least 120, half of them never asked about, are {protocol}"
    if manifest["provenance"]["command"] != claims["command"]:
        yield (f"provenance: must be {claims['command']!r}, is "
               f"{manifest['provenance']['command']!r}")
    yield from example_complaints(manifest)
    yield from certificate_complaints(manifest)
    if size > MAX_BYTES:
        yield f"size: must be at most {MAX_BYTES} bytes, is {size}"


def main():
    trainer, bundle = sys.argv[1], pathlib.Path(sys.argv[2])
    manifest = json.loads((bundle / "bundle.json").read_text())
    size = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
    wrong = [*complaints(BUNDLES[bundle.name], manifest, size)]
    if bundle.name == "demo":
        wrong += [*readme_complaints(manifest["evaluation"]),
                  *readme_certificate_complaints(manifest)]
    for sentence in wrong:
        print(sentence)
    done = subprocess.run([trainer, "eval", "--bundle", bundle, *SAMPLE], check=False)
    sys.exit(1 if wrong or done.returncode else 0)


if __name__ == "__main__":
    main()
