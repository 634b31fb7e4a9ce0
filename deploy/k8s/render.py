#!/usr/bin/env python3
"""Makes the kustomize overlays of the chart, which is their one source: for each of the chart's
files of values an overlay of the same name, for who applies without Helm.

    render.py                         all of overlays/, with the `helm` of PATH
    render.py --helm FILE --check     exit 1 when they are not what the chart says
    render.py --values mtls,own-bundle,monitoring --out DIRECTORY    one of several together
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE.parent / "helm/alignsae"
VALUES = HERE.parent / "helm/values"
ANOTHER_CHARTS = {"prometheus-adapter"}
ONLY_HELMS = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version")
# As JSON in a ConfigMap they are 80 KB; kustomize makes it of the files themselves.
DASHBOARDS = "alignsae-server-dashboards"


class Dumper(yaml.SafeDumper):
    """Block text for what has lines."""


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def names():
    return sorted(path.stem for path in VALUES.glob("*.yaml") if path.stem not in ANOTHER_CHARTS)


def objects_of(helm, values):
    done = subprocess.run(
        [helm, "template", "alignsae", CHART, "--namespace=alignsae", "--kube-version=1.33.0",
         *(f"--values={VALUES / name}.yaml" for name in values)],
        capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    objects = [each for each in yaml.safe_load_all(done.stdout) if each]
    for each in objects:
        for label in ONLY_HELMS:
            each["metadata"]["labels"].pop(label, None)
    return objects


def write(folder, values, objects):
    folder.mkdir(parents=True, exist_ok=True)
    resources = ["objects.yaml"]
    if any(each["metadata"]["name"] == DASHBOARDS for each in objects):
        objects = [each for each in objects if each["metadata"]["name"] != DASHBOARDS]
        resources.append("../../../grafana/dashboards")
    namespace = yaml.safe_load((HERE / "namespace.yaml").read_text())
    of = ", ".join(f"{name}.yaml" for name in values)
    head = f"# Made by deploy/k8s/render.py of the chart and its values {of}.\n"
    (folder / "objects.yaml").write_text(head + yaml.dump_all(
        [namespace, *objects], Dumper=Dumper, sort_keys=False, width=1000, explicit_start=True))
    (folder / "kustomization.yaml").write_text(head + yaml.safe_dump(
        {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
         "resources": resources}, sort_keys=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--helm", default="helm")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--values", type=lambda text: text.split(","))
    parser.add_argument("--out", type=pathlib.Path)
    flags = parser.parse_args()
    if flags.values:
        if flags.out is None:
            parser.error("--values: needs --out")
        write(flags.out, flags.values, objects_of(flags.helm, flags.values))
        return
    with tempfile.TemporaryDirectory() as made:
        out = pathlib.Path(made) if flags.check else HERE / "overlays"
        for name in names():
            write(out / name, [name], objects_of(flags.helm, [name]))
        if not flags.check:
            return
        old = [name for name in names() for file in ("objects.yaml", "kustomization.yaml")
               if not (HERE / "overlays" / name / file).exists() or
               (HERE / "overlays" / name / file).read_text() != (out / name / file).read_text()]
        old += [path.name for path in (HERE / "overlays").iterdir() if path.name not in names()]
        if old:
            sys.exit(f"overlays: run deploy/k8s/render.py; not as the chart says: {sorted(set(old))}")


if __name__ == "__main__":
    main()
