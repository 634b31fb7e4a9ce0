#!/usr/bin/env python3
"""Fails when the protos of DIRECTORY break a client of those in BASELINE: a field,
enum value, message or RPC that is gone or has another number, type, label or name.

    check_protos.py BASELINE DIRECTORY
"""
import pathlib
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2


def read(directory):
    """name -> fact of everything that a client can see, by compiling the files."""
    protos = sorted(str(path.relative_to(directory))
                    for path in pathlib.Path(directory).glob("alignsae/**/*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(["protoc", "-I", directory, f"--descriptor_set_out={out.name}", *protos],
                       check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    facts = {}
    for file in files.file:
        for message in file.message_type:
            facts.update(of_message(file.package, message))
        for enum in file.enum_type:
            facts.update(of_enum(file.package, enum))
        for service in file.service:
            for method in service.method:
                facts[f"rpc {file.package}.{service.name}/{method.name}"] = (
                    method.input_type, method.output_type, method.client_streaming,
                    method.server_streaming)
    return facts


def of_message(scope, message):
    name = f"{scope}.{message.name}"
    yield f"message {name}", "there"
    for field in message.field:
        oneof = ""
        if field.HasField("oneof_index"):
            oneof = message.oneof_decl[field.oneof_index].name
        yield f"field {name} = {field.number}", (
            field.name, field.type, field.label, field.type_name, oneof)
    for nested in message.nested_type:
        yield from of_message(name, nested)
    for enum in message.enum_type:
        yield from of_enum(name, enum)


def of_enum(scope, enum):
    for value in enum.value:
        yield f"value {scope}.{enum.name} = {value.number}", value.name


def breaks(baseline, now):
    for name, fact in sorted(baseline.items()):
        if name not in now:
            yield f"{name}: must stay, is gone"
        elif now[name] != fact:
            yield f"{name}: must stay {fact}, is {now[name]}"


def main():
    found = list(breaks(read(sys.argv[1]), read(sys.argv[2])))
    for sentence in found:
        print(sentence)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
