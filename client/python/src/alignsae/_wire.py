"""The messages of the API, made at import from their description (api.binpb).

They live in a descriptor pool of their own: other packages may have google.rpc or the
stubs of this API in protobuf's default one.
"""
import importlib.resources

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "alignsae.v1"


def _load():
    """The pool, and the class of every message by its full name. All are kept: protobuf's
    own memory of classes is weak, and in 4.22 to 4.24 a class that was made twice crashed."""
    described = importlib.resources.files(__package__).joinpath("api.binpb")
    if not described.is_file():
        raise ImportError("alignsae/api.binpb is missing: install the package, or make the "
                          "file with client/python/build_api.py")
    pool, names = descriptor_pool.DescriptorPool(), []
    for file in descriptor_pb2.FileDescriptorSet.FromString(described.read_bytes()).file:
        pool.AddSerializedFile(file.SerializeToString())
        names += [f"{file.package}.{each.name}" for each in file.message_type]
    # protobuf 4.22 and later, and what came before.
    class_of = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(
        pool=pool).GetPrototype  # type: ignore[attr-defined]
    return pool, {name: class_of(pool.FindMessageTypeByName(name)) for name in names}


_POOL, _CLASSES = _load()


def message(name):
    """The class of a message: `message("SwapRequest")`, `message("google.rpc.Status")`."""
    return _CLASSES[name if "." in name else f"{PACKAGE}.{name}"]


def enum(name):
    """The descriptor of an enum of the API."""
    return _POOL.FindEnumTypeByName(f"{PACKAGE}.{name}")


def method(name):
    """(path, request class, response class) of "SteeringService/Swap"."""
    service, short = name.split("/")
    found = _POOL.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[short]
    return (f"/{PACKAGE}.{service}/{short}", _CLASSES[found.input_type.full_name],
            _CLASSES[found.output_type.full_name])


def is_repeated(field):
    """Of a field descriptor, in every version of protobuf."""
    repeated = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if repeated is None else repeated
