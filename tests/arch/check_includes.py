#!/usr/bin/env python3
"""Fails when an #include goes against the arrows of the architecture.

The table says, for each folder, which other folders of ours it may include and
whether it may see LibTorch and protobuf. A folder may always include itself.
`exceptions` name single headers that are free of LibTorch by design.

    check_includes.py [ROOT]       prints every bad include; exit 1 if there is one
"""
import pathlib
import re
import sys

MODEL = ["model/base", "model/kernels", "model/tokenizer", "model/io", "model/tensor", "model/gpt2",
         "model/sae", "model/intervention", "model/sampling", "model/bundle",
         "model/engine"]

# folder -> (may include, torch, protobuf)
RULES = {
    "model/base": ([], False, False),
    "model/kernels": ([], False, False),
    "model/tokenizer": (["model/base"], False, False),
    "model/io": (["model/base", "model/tensor"], True, False),
    "model/tensor": (["model/base"], True, False),
    "model/gpt2": (["model/io", "model/tensor", "model/kernels", "model/base"], True, False),
    "model/sae": (["model/io", "model/tensor", "model/base"], True, False),
    "model/intervention": (["model/sae", "model/gpt2/residual_hook.h", "model/tensor",
                            "model/base"], True, False),
    "model/sampling": (["model/tensor", "model/kernels", "model/base"], True, False),
    "model/bundle": (["model/io", "model/tokenizer", "model/gpt2", "model/sae",
                      "model/tensor", "model/base"], True, False),
    "model/engine": ([m for m in MODEL if m != "model/engine"], True, False),
    "model/train": (MODEL, True, False),
    "server/config": (["model/base"], False, False),
    "server/metrics": (["model/base"], False, False),
    "server/scheduler": (["model/engine/step.h", "model/engine/step_executor.h",
                          "model/intervention/spec.h", "model/sampling/params.h",
                          "model/base"], False, False),
    "server/rpc": (["proto", "server/scheduler", "server/metrics", "server/config",
                    "model/tokenizer", "model/base"], False, True),
    "server/http": (["proto", "server/scheduler", "server/metrics", "server/config",
                     "model/tokenizer", "model/base"], False, True),
    "client": (["proto", "model/base"], False, True),
}

# Files that stand beside the folders: main.cc wires the server and may see the
# engine's header, which is free of LibTorch.
FILES = {
    "server/main.cc": (["server/config", "server/http", "server/metrics", "server/rpc",
                        "server/scheduler", "model/engine/engine.h", "model/base"], False, True),
}
OURS = ("model/", "server/", "client/", "proto/", "tests/")

# Files of a folder that may see LibTorch are the rule there; these may not,
# because torch-free folders include them.
TORCH_FREE = {
    "model/io/safetensors.h", "model/io/safetensors.cc", "model/io/safetensors_header.cc",
    "model/io/safetensors_layout.h", "model/io/safetensors_layout.cc", "model/gpt2/config.h",
    "model/gpt2/config.cc", "model/gpt2/weight_type.h", "model/gpt2/weight_type.cc", "model/sae/config.h", "model/sae/config.cc",
    "model/intervention/spec.h", "model/intervention/spec.cc",
    "model/sampling/params.h", "model/engine/step.h",
    "model/engine/step_executor.h", "model/engine/engine.h",
    "model/bundle/manifest.h", "model/bundle/manifest.cc",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
TORCH = ("torch/", "ATen/", "c10/")
PROTO = re.compile(r"(\.pb\.h$|^google/protobuf/|^grpcpp/|^grpc/)")


def folder_of(path):
    """The longest folder of RULES that holds `path`, or None."""
    homes = [home for home in RULES if path.startswith(home + "/")]
    return max(homes, key=len, default=None)


def complaints(path, text):
    """Yields one sentence for each include of `text` that `path` may not have."""
    home = path if path in FILES else folder_of(path)
    if home is None:
        yield f"{path}: must lie in a folder of the table"
        return
    allowed, torch, protobuf = FILES.get(home) or RULES[home]
    torch = torch and path not in TORCH_FREE
    for include in INCLUDE.findall(text):
        if include.startswith(TORCH):
            if not torch:
                yield f"{path}: must not include {include}: it is free of LibTorch"
            continue
        if PROTO.search(include):
            if not protobuf:
                yield f"{path}: must not include {include}: it is free of protobuf and gRPC"
            continue
        target = folder_of(include)
        if include.startswith(("./", "../")):
            yield f"{path}: must not include {include}: paths start at the root"
        elif target is None and include.startswith(OURS):
            yield f"{path}: must not include {include}: it lies in no folder of the table"
        elif include.startswith("tests/"):
            yield f"{path}: must not include {include}: tests are for tests"
        elif target not in (None, home) and not any(
                include == a or include.startswith(a + "/") for a in allowed):
            yield f"{path}: must not include {include}: {home} may see {allowed or 'nothing'}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    files = sorted(path for top in ("model", "server", "client")
                   for path in (root / top).rglob("*") if path.suffix in (".h", ".cc"))
    if not files:
        sys.exit(f"check_includes: no sources below {root}")
    bad = [line for path in files
           for line in complaints(path.relative_to(root).as_posix(),
                                  path.read_text(encoding="utf-8"))]
    print("\n".join(bad) if bad else f"{len(files)} files follow the include table")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
