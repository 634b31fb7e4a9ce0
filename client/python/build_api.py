#!/usr/bin/env python3
"""Describes the protos in one file that the package reads: alignsae/api.binpb.

A serialised FileDescriptorSet, not generated code: it works with every version of
protobuf's runtime, and no name of ours gets into anybody's modules.

    build_api.py FILE      writes it; also what the build of the wheel calls
"""
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def protos():
    """The folder of the protos: the repository's, or the copy in a source archive."""
    for folder in (HERE / "proto", HERE.parents[1] / "proto"):
        if (folder / "alignsae/v1/steering_service.proto").exists():
            return folder
    raise FileNotFoundError(f"no protos in {HERE}/proto or {HERE.parents[1]}/proto")


def compiler():
    """The command of a protobuf compiler: grpcio-tools's, else the one on the path."""
    if importlib.util.find_spec("grpc_tools"):
        return [sys.executable, "-m", "grpc_tools.protoc"]
    if shutil.which("protoc"):
        return ["protoc"]
    raise FileNotFoundError("no protobuf compiler: install grpcio-tools or protoc")


def describe(folder):
    """The bytes of the FileDescriptorSet of all protos of `folder`."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "api.binpb"
        subprocess.run([*compiler(), f"-I{folder}", "--include_imports",
                        f"--descriptor_set_out={out}", *names], check=True, cwd=folder)
        return out.read_bytes()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_api.py FILE")
    pathlib.Path(sys.argv[1]).write_bytes(describe(protos()))
