"""Values of the API's enums as words: "SWAP" for INTERVENTION_MODE_SWAP."""
import re

from alignsae import _wire


def _prefix(descriptor):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", descriptor.name).upper() + "_"


def word(descriptor, number):
    """The word of a number; "" for UNSPECIFIED, the number of a value that is new."""
    value = descriptor.values_by_number.get(number)
    if value is None:
        return str(number)
    short = value.name.removeprefix(_prefix(descriptor))
    return "" if short == "UNSPECIFIED" else short


def number(enum_name, text, argument):
    """The number of a word in any case; ValueError names `argument` and the words."""
    descriptor = _wire.enum(enum_name)
    prefix = _prefix(descriptor)
    value = descriptor.values_by_name.get(prefix + text.upper())
    if value is None or value.number == 0:
        words = [v.name.removeprefix(prefix).lower() for v in descriptor.values if v.number]
        raise ValueError(f"{argument}: must be one of {', '.join(words)}, got {text!r}")
    return value.number
