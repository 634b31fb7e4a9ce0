#!/usr/bin/env python3
"""Fails when an #include goes against the arrows of the architecture.

The table says, for each folder, which other folders of ours it may include and
whether it may see LibTorch, protobuf and gRPC. A folder may always include itself.
`exceptions` name single headers that are free of LibTorch by design.

    check_includes.py [ROOT]       prints every bad include; exit 1 if there is one
"""
import pathlib
import re
import sys

LOW = ["model/base", "model/steering"]
MODEL = ["model/base", "model/steering", "model/kernels", "model/tokenizer", "model/io",
         "model/tensor", "model/transformer", "model/gpt2", "model/gpt_neox", "model/sae", "model/intervention",
         "model/sampling", "model/bundle", "model/engine", "model/scheduler"]
TRAIN = ["common", "data", "lm", "sae", "eval", "pipeline", "study", "cli"]

# folder -> (may include, torch, protobuf, gRPC)
RULES = {
    "model/base": ([], False, False, False),
    "model/terminal": (["model/base"], False, False, False),
    "model/steering": (["model/base"], False, False, False),
    "model/kernels": ([], False, False, False),
    "model/tokenizer": (["model/base"], False, False, False),
    "model/io": (["model/base", "model/tensor"], True, False, False),
    "model/tensor": (["model/base"], True, False, False),
    "model/transformer": (["model/io", "model/tensor", "model/kernels",
                           "model/steering/hook_point.h", "model/base"], True, False, False),
    **{f"model/{family}": (["model/transformer", "model/io", "model/tensor", "model/kernels",
                            "model/base"], True, False, False)
       for family in ("gpt2", "gpt_neox")},
    "model/sae": (["model/io", "model/tensor", *LOW], True, False, False),
    "model/intervention": (["model/sae", "model/transformer/residual_hook.h", "model/tensor",
                            *LOW], True, False, False),
    "model/sampling": (["model/tensor", "model/kernels", "model/base"], True, False, False),
    "model/bundle": (["model/io", "model/tokenizer", "model/transformer", "model/sae",
                      "model/tensor", *LOW], True, False, False),
    "model/engine": ([m for m in MODEL if m not in ("model/engine", "model/scheduler",
                                                    "model/gpt2", "model/gpt_neox")],
                     True, False, False),
    "model/scheduler": (["model/engine/step.h", "model/engine/step_executor.h",
                         "model/sampling/params.h", *LOW], False, False, False),
    # Each folder of the trainer may include those before it. What it makes is a GPT-2.
    **{f"model/train/{folder}": (MODEL + [f"model/train/{f}" for f in TRAIN[:i]]
                                    + (["model/terminal"] if folder in ("common", "cli") else []), True, False, False)
       for i, folder in enumerate(TRAIN)},
    "server/process": (LOW, False, False, False),
    "server/policy": (["server/process", *LOW], False, False, False),
    "server/config": (["server/process", "model/terminal", *LOW], False, False, False),
    "server/metrics": (["server/process", *LOW], False, False, False),
    "server/registry": (["model/engine/engine.h", "model/engine/step_executor.h", "model/scheduler", "model/tokenizer",
                         "server/metrics", "server/process", *LOW], False, False, False),
    "server/api": (["proto", "model/scheduler", "model/tokenizer", "server/registry",
                    "server/policy", "server/metrics", "server/config", "server/process", *LOW],
                   False, True, False),
    "server/grpc": (["proto", "model/scheduler", "server/api", "server/registry",
                     "server/policy", "server/metrics", "server/config", "server/process", *LOW],
                    False, True, True),
    "server/http": (["proto", "server/api", "server/policy", "server/metrics", "server/config",
                     "server/process", *LOW], False, True, False),
    "server/web": (["server/http"], False, False, False),
    "client": (["proto", "model/base", "model/terminal"], False, True, True),
}

# Files that stand beside the folders: main.cc wires the server and may see the
# engine's header, which is free of LibTorch. families.cc alone knows which families
# of models there are.
FILES = {
    "server/main.cc": (["server", "model/scheduler", "model/engine/engine.h", "model/terminal",
                         *LOW],
                       False, True, True),
    "model/bundle/families.cc": (["model/gpt2", "model/gpt_neox", "model/transformer", "model/io",
                                  "model/bundle", "model/tensor", "model/base"], True, False,
                                 False),
}
OURS = ("model/", "server/", "client/", "proto/", "tests/")

# Files of a folder that may see LibTorch are the rule there; these may not,
# because torch-free folders include them.
TORCH_FREE = {
    "model/io/safetensors.h", "model/io/safetensors.cc", "model/io/safetensors_header.cc",
    "model/io/safetensors_layout.h", "model/io/safetensors_layout.cc", "model/gpt2/config.h",
    "model/gpt2/config.cc", "model/gpt_neox/config.h", "model/gpt_neox/config.cc",
    "model/transformer/config_fields.h", "model/transformer/config_fields.cc",
    "model/transformer/activation.h", "model/transformer/facts.h",
    "model/transformer/end_tokens.h", "model/transformer/end_tokens.cc",
    "model/io/weight_files.h", "model/io/weights_file.cc",
    "model/bundle/generation_config.h", "model/bundle/generation_config.cc",
    "model/transformer/weight_type.h", "model/transformer/weight_type.cc", "model/sae/config.h",
    "model/sae/config.cc", "model/sae/saelens.h", "model/sae/saelens.cc",
    "model/sampling/params.h", "model/engine/step.h",
    "model/engine/step_executor.h", "model/engine/engine.h",
    "model/bundle/manifest.h", "model/bundle/manifest.cc",
    "model/bundle/doctor_facts.h", "model/bundle/doctor_facts.cc",
    "model/bundle/measured_swaps.h", "model/bundle/measured_swaps.cc",
}

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
TORCH = ("torch/", "ATen/", "c10/")
GRPC = re.compile(r"(\.grpc\.pb\.h$|^grpcpp/|^grpc/)")
PROTO = re.compile(r"(\.pb\.h$|^google/protobuf/)")


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
    allowed, torch, protobuf, grpc = FILES.get(home) or RULES[home]
    torch = torch and path not in TORCH_FREE
    for include in INCLUDE.findall(text):
        if include.startswith(TORCH):
            if not torch:
                yield f"{path}: must not include {include}: it is free of LibTorch"
            continue
        if GRPC.search(include):
            if not grpc:
                yield f"{path}: must not include {include}: it is free of gRPC"
            continue
        if PROTO.search(include):
            if not protobuf:
                yield f"{path}: must not include {include}: it is free of protobuf"
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
