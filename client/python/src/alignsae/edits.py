"""Prompts, positions and interventions as Python says them, made into messages."""
import dataclasses
import re
from typing import Optional, Sequence, Union

from alignsae import _enums, _wire


@dataclasses.dataclass(frozen=True)
class Text:
    """A prompt that is raw text: no template is put around it."""
    text: str


# A str is a question, which is put into the model's prompt template; ints are token ids.
Prompt = Union[str, Text, Sequence[int]]
# A name, "#4" or 4 for feature 4.
ConceptRef = Union[str, int]
# "last", "all", "none", "list:0,3,-1", "window:2:5", "text:Ann Lee" (all tokens of a text);
# or -1, [0, 3, -1], slice(2, 5).
Positions = Union[str, int, Sequence[int], slice]


@dataclasses.dataclass(frozen=True)
class Edit:
    """One intervention. Defaults are the server's."""
    mode: str  # add, add_norm_matched, set, multiply, ablate, swap, replace, project_out
    target: Optional[ConceptRef] = None  # REQUIRED without a vector.
    source: Optional[ConceptRef] = None  # swap, replace; default: the top concept.
    alpha: Optional[float] = None        # Default 1.
    raw: bool = False                    # Alpha is the slot's value itself.
    positions: Optional[Positions] = None  # Default: the last prompt token.
    generated: bool = False              # Every generated token too.
    checkpoint: str = ""
    # In place of a concept's direction, with its place: [d_model] numbers, "resid_post[3]".
    vector: Optional[Sequence[float]] = None
    hook: str = ""
    # Only at positions whose reading says so: "major" is bound, "!major" is not, "major>2".
    when: Optional[str] = None

    @classmethod
    def parse(cls, spec, **fields):
        """From the command line's MODE:[SOURCE>]TARGET[@ALPHA][raw]: "add:employer@2",
        "swap:birth_city>employer", "ablate:#4", "set:major@3raw"."""
        form = "edit: must be MODE:[SOURCE>]TARGET[@ALPHA][raw], got "
        mode, colon, rest = spec.partition(":")
        if not colon:
            raise ValueError(f"{form}{spec!r}")
        # A concept's name may hold anything but > and @.
        if "@" in rest:
            rest, _, alpha = rest.rpartition("@")
            fields["raw"] = alpha.endswith("raw")
            try:
                fields["alpha"] = float(alpha.removesuffix("raw"))
            except ValueError:
                raise ValueError(f"edit: must have a number after @, got {spec!r}") from None
        source, arrow, target = rest.rpartition(">")
        if arrow:
            fields["source"] = source
        if not target or (arrow and not source):
            raise ValueError(f"{form}{spec!r}")
        return cls(mode, target, **fields)


def _is_ids(value):
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and bool(
        value) and all(isinstance(item, int) for item in value)


def prompt_message(prompt):
    message = _wire.message("Prompt")()
    if isinstance(prompt, Text):
        message.text = prompt.text
    elif isinstance(prompt, str):
        message.question = prompt
    elif _is_ids(prompt):
        message.token_ids.ids.extend(prompt)
    else:
        raise TypeError(f"prompt: must be a str (a question), Text or token ids, "
                        f"got {type(prompt).__name__}")
    return message


def prompt_messages(prompts):
    """Of one prompt, or of several."""
    one = isinstance(prompts, (str, Text)) or _is_ids(prompts)
    return [prompt_message(prompt) for prompt in ([prompts] if one else prompts)]


def concept_message(concept):
    message = _wire.message("ConceptRef")()
    if isinstance(concept, int):
        message.slot = concept
    elif concept[:1] == "#" and concept[1:].isdigit():
        message.slot = int(concept[1:])
    else:
        message.name = concept
    return message


def condition_message(spec):
    """Of "CONCEPT" (it is bound), "!CONCEPT" (it is not) or "CONCEPT>VALUE"."""
    name, greater, value = spec.rpartition(">")
    if greater:
        try:
            message = _wire.message("ReadingCondition")(above=float(value))
        except ValueError:
            raise ValueError(f"condition: must end in a number after >, got {spec!r}") from None
    else:
        name = spec.removeprefix("!")
        message = _wire.message("ReadingCondition")(bound=name == spec)
    if not name:
        raise ValueError(f"condition: must be CONCEPT, !CONCEPT or CONCEPT>VALUE, got {spec!r}")
    message.slot.CopyFrom(concept_message(name))
    return message


def when_message(spec):
    """The field `when` of a request; None leaves it absent."""
    return None if spec is None else condition_message(spec)


def _spoken_positions(message, spec):
    kind, _, rest = spec.partition(":")
    try:
        if kind == "list":
            message.positions.extend(int(item) for item in rest.split(","))
        elif kind == "window":
            start, colon, stop = rest.partition(":")
            if not colon:
                raise ValueError
            _set_window(message, slice(int(start) if start else None, int(stop) if stop else None))
        elif kind == "text" and rest:
            message.text = rest
        elif rest or kind == "text":
            raise ValueError
    except ValueError:
        raise ValueError("positions: must be last, all, none, list:I,J,..., window:START:STOP or text:NAME, "
                         f"got {spec!r}") from None
    message.prompt = _enums.number("PromptSelection", kind, "positions")


def _set_window(message, bounds):
    if bounds.step not in (None, 1):
        raise ValueError(f"positions: must be a slice without a step, got {bounds}")
    message.window.SetInParent()
    if bounds.start is not None:
        message.window.start = bounds.start
    if bounds.stop is not None:
        message.window.stop = bounds.stop


def positions_message(positions, generated=False):
    """None: nothing is selected by the client, the server's default holds."""
    message = _wire.message("PositionSelection")()
    if isinstance(positions, str):
        _spoken_positions(message, positions)
    elif isinstance(positions, slice):
        message.prompt = _enums.number("PromptSelection", "window", "positions")
        _set_window(message, positions)
    elif positions is not None:
        message.prompt = _enums.number("PromptSelection", "list", "positions")
        message.positions.extend([positions] if isinstance(positions, int) else positions)
    message.generated = generated
    return message


def hook_message(spec):
    """Of "resid_post[3]"."""
    found = re.fullmatch(r"(\w+)\[(\d+)\]", spec)
    if not found:
        raise ValueError(f'hook: must be like "resid_post[3]", got {spec!r}')
    return _wire.message("HookPoint")(kind=_enums.number("HookKind", found[1], "hook"),
                                      layer=int(found[2]))


def edit_message(edit):
    """Of an Edit, or of its short form."""
    edit = Edit.parse(edit) if isinstance(edit, str) else edit
    message = _wire.message("Intervention")(
        checkpoint=edit.checkpoint,
        mode=_enums.number("InterventionMode", edit.mode, "edit.mode"),
        positions=positions_message(edit.positions, edit.generated))
    if edit.target is not None:
        message.target.CopyFrom(concept_message(edit.target))
    if edit.vector is not None:
        message.vector.values.extend(float(value) for value in edit.vector)
        message.vector.hook.CopyFrom(hook_message(edit.hook))
    if edit.source is not None:
        message.source.CopyFrom(concept_message(edit.source))
    if edit.alpha is not None:
        message.alpha = edit.alpha
    if edit.when is not None:
        message.when.CopyFrom(condition_message(edit.when))
    if edit.raw:
        message.unit = _enums.number("AlphaUnit", "raw", "edit.raw")
    return message
