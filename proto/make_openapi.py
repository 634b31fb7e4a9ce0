#!/usr/bin/env python3
"""Makes openapi.json, the front door's description (OpenAPI 3.1), of the protos: every RPC
as a POST of JSON, and OpenAI's two paths. The comments of the protos are its texts.

    make_openapi.py            writes it beside this file
    make_openapi.py --check    exit 1 when it is not what the protos say
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

HERE = pathlib.Path(__file__).parent
OUT = HERE / "openapi.json"
PACKAGE = ".alignsae.v1."
ELSEWHERE = "operator_service.proto"  # On a port of its own, for gRPC only.
Field = descriptor_pb2.FieldDescriptorProto

# In the JSON of protobuf: 64 bits are strings, since JavaScript's numbers have 53.
SCALARS = {
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
    Field.TYPE_FLOAT: {"type": "number", "format": "float"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    Field.TYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    Field.TYPE_INT64: {"type": "string", "format": "int64"},
    Field.TYPE_UINT64: {"type": "string", "format": "uint64"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
}


def reference(name):
    return {"$ref": f"#/components/schemas/{name.removeprefix(PACKAGE)}"}


ELSEWHERE = ["OperatorService"]  # Not at the front door, but on a port of its own.


def read_protos():
    files = sorted(str(path.relative_to(HERE)) for path in HERE.glob("alignsae/v1/*.proto")
                   if path.name != ELSEWHERE)
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(["protoc", "-I", HERE, "--include_source_info",
                        f"--descriptor_set_out={out.name}", *files], check=True)
        found = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    return found.file


class File:
    """The schemas and paths of one file."""

    def __init__(self, file):
        self.file = file
        self.comments = {tuple(place.path): " ".join(place.leading_comments.split())
                         for place in file.source_code_info.location if place.leading_comments}

    def described(self, schema, *path):
        text = self.comments.get(path)
        if not text:
            return schema
        return {"description": text, **schema}

    def field(self, message, index, path):
        field = message.field[index]
        entry = None
        if field.type == Field.TYPE_MESSAGE:
            entry = next((nested for nested in message.nested_type
                          if nested.options.map_entry and
                          field.type_name.endswith(f".{message.name}.{nested.name}")), None)
        if entry is not None:
            schema = {"type": "object", "additionalProperties": self.one(entry.field[1])}
        elif field.label == Field.LABEL_REPEATED:
            schema = {"type": "array", "items": self.one(field)}
        else:
            schema = self.one(field)
        return field.json_name, self.described(schema, *path, 2, index)

    @staticmethod
    def one(field):
        if field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM):
            return reference(field.type_name)
        return dict(SCALARS[field.type])

    def oneofs(self, message, path):
        """Sentences about fields of which one is given."""
        for index, oneof in enumerate(message.oneof_decl):
            names = [field.json_name for field in message.field
                     if field.HasField("oneof_index") and field.oneof_index == index and
                     not field.proto3_optional]
            if names:
                text = self.comments.get((*path, 8, index), "")
                yield f"Of {', '.join(names)} ({oneof.name}) at most one is given. {text}".strip()

    def schemas(self):
        for index, message in enumerate(self.file.message_type):
            path = (4, index)
            schema = {"type": "object",
                      "properties": dict(self.field(message, i, path)
                                         for i in range(len(message.field)))}
            schema = self.described(schema, *path)
            more = list(self.oneofs(message, path))
            if more:
                schema["description"] = " ".join([schema.get("description", ""), *more]).strip()
            yield message.name, schema
        for index, enum in enumerate(self.file.enum_type):
            values = [f"{value.name}: {self.comments.get((5, index, 2, i), '')}"
                      for i, value in enumerate(enum.value)]
            schema = self.described({"type": "string", "enum": [v.name for v in enum.value]},
                                    5, index)
            schema["description"] = "\n".join([schema.get("description", ""), *values])
            yield enum.name, schema

    def paths(self):
        for index, service in enumerate(self.file.service):
            for number, method in enumerate(service.method):
                if method.client_streaming or service.name in ELSEWHERE:
                    continue
                text = self.comments.get((6, index, 2, number), "")
                yield (f"/alignsae.v1.{service.name}/{method.name}",
                       {"post": operation(service, method, text)})


def body(schema, description, stream):
    if not stream:
        return {"description": description,
                "content": {"application/json": {"schema": schema},
                            "application/proto": {"schema": {"type": "string",
                                                             "format": "binary"}}}}
    text = (f"{description} Envelopes of the Connect protocol: a byte of flags, four bytes of "
            "length (big endian), the message.")
    return {"description": text,
            "content": {"application/connect+json": {"schema": schema},
                        "application/connect+proto": {"schema": {"type": "string",
                                                                 "format": "binary"}}}}


def operation(service, method, text):
    stream = method.server_streaming
    answer = ("One envelope for each message, then one with flag 2, which holds {} or the error."
              if stream else "The answer.")
    return {
        "tags": [service.name], "operationId": method.name, "summary": text.split(". ")[0],
        "description": text, "parameters": [{"$ref": f"#/components/parameters/{name}"}
                                            for name in PARAMETERS],
        "requestBody": {"required": True,
                        **body(reference(method.input_type), "The request.", stream)},
        "responses": {"200": body(reference(method.output_type), answer, stream),
                      "default": {"$ref": "#/components/responses/Error"}}}


def header(name, description, schema=None):
    return {"name": name, "in": "header", "required": False, "description": description,
            "schema": schema or {"type": "string"}}


PARAMETERS = {
    "Timeout": header("Connect-Timeout-Ms", "The call's deadline, in milliseconds.",
                      {"type": "integer", "minimum": 0}),
    "RequestId": header("X-Request-Id", "Echoed in the answer and told in the log."),
    "ClientId": header("X-Client-Id", "Clients of one host take turns by it."),
}

ERROR = {
    "type": "object", "required": ["code", "message"],
    "description": "A failure, as the Connect protocol has it.",
    "properties": {
        "code": {"type": "string", "description": "gRPC's status code: invalid_argument, ..."},
        "message": {"type": "string", "description": "Names the field, the rule and the value."},
        "details": {"type": "array", "items": {
            "type": "object", "properties": {
                "type": {"type": "string", "description": "google.rpc.ErrorInfo, ..."},
                "value": {"type": "string", "contentEncoding": "base64"},
                "debug": {"description": "The detail as JSON, for people."}}}}}}


def nullable(schema):
    kind = schema.get("type")
    return {**schema, "type": [kind, "null"]} if isinstance(kind, str) else schema


def completion_request():
    """What server/http/openai_request.cc reads."""
    number, integer, flag = {"type": "number"}, {"type": "integer"}, {"type": "boolean"}
    text, ids = {"type": "string"}, {"type": "array", "items": {"type": "integer"}}
    fields = {
        "model": text,
        "prompt": {"description": "A text, token ids, or a list of one of them.",
                   "oneOf": [text, {"type": "array", "items": text}, ids,
                             {"type": "array", "items": ids}]},
        "max_tokens": {**integer, "minimum": 0, "default": 16,
                       "description": "0 only with echo."},
        "temperature": {**number, "default": 1}, "top_p": {**number, "default": 1},
        "n": {**integer, "minimum": 1, "default": 1}, "stream": flag,
        "stream_options": {"type": "object", "properties": {"include_usage": flag}},
        "logprobs": {**integer, "minimum": 0, "description": "Alternatives for each token."},
        "echo": {**flag, "description": "The prompt before the answer; with logprobs its own "
                                        "tokens' too."},
        "stop": {"oneOf": [text, {"type": "array", "items": text}]}, "seed": integer,
        "user": {**text, "description": "Has no effect."},
        "steering": {"type": "array", "items": reference("Intervention"),
                     "description": "Ours: interventions."},
        "presence_penalty": number, "frequency_penalty": number,
        "logit_bias": {"type": "object", "additionalProperties": number},
        "min_tokens": {**integer, "minimum": 0, "description": "vLLM's: no end of text before."},
        "suffix": {**text, "description": "Refused but for \"\"."},
        "best_of": {**integer, "description": "Refused but for n."}}
    return {"type": "object", "required": ["model", "prompt"], "additionalProperties": False,
            "properties": {name: field if name in ("model", "prompt") else nullable(field)
                           for name, field in fields.items()}}


def openai_paths():
    errors = {"default": {"description": "OpenAI's form of an error.", "content": {
        "application/json": {"schema": {"type": "object"}}}}}
    answer = {"description": "A completion; with stream, server-sent events.", "content": {
        "application/json": {"schema": {"type": "object"}},
        "text/event-stream": {"schema": {"type": "string"}}}}
    models = {"description": "The loaded model.", "content": {
        "application/json": {"schema": {"type": "object"}}}}
    return {
        "/v1/completions": {"post": {
            "tags": ["OpenAI"], "operationId": "createCompletion",
            "summary": "OpenAI's completions, with steering",
            "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in PARAMETERS],
            "requestBody": {"required": True, "content": {"application/json": {
                "schema": reference("CompletionRequest")}}},
            "responses": {"200": answer, **errors}}},
        "/v1/models": {"get": {
            "tags": ["OpenAI"], "operationId": "listModels", "summary": "OpenAI's models",
            "responses": {"200": models, **errors}}}}


def reached(paths, schemas):
    """The schemas that the paths refer to, by way of others too."""
    names, found = set(), re.findall(r"#/components/schemas/(\w+)", json.dumps(paths))
    while found:
        name = found.pop()
        if name not in names:
            names.add(name)
            found += re.findall(r"#/components/schemas/(\w+)", json.dumps(schemas[name]))
    return {name: schemas[name] for name in sorted(names | {"Error"})}


def document():
    paths, schemas = {}, {}
    for file in map(File, read_protos()):
        schemas.update(file.schemas())
        paths.update(file.paths())
    schemas.update(Error=ERROR, CompletionRequest=completion_request())
    paths.update(openai_paths())
    return {
        "openapi": "3.1.0",
        "info": {"title": "AlignSAE server", "version": "v1",
                 "description": "Reads and steers the concepts inside a language model. Fields "
                                "have these names or those of the protos (snake_case); "
                                "others are refused.",
                 "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": reached(paths, schemas), "parameters": PARAMETERS,
            "responses": {"Error": {"description": "The call failed.", "content": {
                "application/json": {"schema": reference("Error")}}}}}}


def main():
    text = json.dumps(document(), indent=1, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["--check"]:
        if not OUT.exists() or OUT.read_text() != text:
            sys.exit(f"{OUT}: is not what the protos say; run {sys.argv[0]}")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    OUT.write_text(text)


if __name__ == "__main__":
    main()
