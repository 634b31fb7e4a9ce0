"""What the server answers, as dataclasses: one for each message of the API, with its
fields' names. proto/alignsae/v1 has every shape, unit and range.

An enum is its word ("SWAP", "EOS"; "" when unspecified), a repeated field a tuple, and
what may be absent None. `to_dict` gives plain dicts and lists.
"""
import dataclasses
from typing import Optional, Union

from alignsae import _enums, _wire

_CLASSES: dict[str, type] = {}  # Full name of the message -> dataclass.


def _answers(name):
    """Makes a class the dataclass of the message `name`."""
    def register(cls):
        made = dataclasses.dataclass(frozen=True)(cls)
        _CLASSES[f"{_wire.PACKAGE}.{name}"] = made
        return made
    return register


def _value(field, value):
    if field.type == field.TYPE_MESSAGE:
        return from_message(value)
    return _enums.word(field.enum_type, value) if field.type == field.TYPE_ENUM else value


def from_message(message):
    """The dataclass of a message; fields that are newer than the class are left out."""
    cls = _CLASSES[message.DESCRIPTOR.full_name]
    values = {}
    for own in dataclasses.fields(cls):
        field = message.DESCRIPTOR.fields_by_name[own.name]
        value = getattr(message, own.name)
        if _wire.is_repeated(field):
            values[own.name] = tuple(_value(field, item) for item in value)
        elif own.default is None and not message.HasField(own.name):
            values[own.name] = None
        else:
            values[own.name] = _value(field, value)
    return cls(**values)


def event_of(message):
    """The one event that a message of a stream holds."""
    return from_message(getattr(message, message.WhichOneof("event")))


def to_dict(answer):
    """Plain dicts, lists, numbers and words."""
    return dataclasses.asdict(answer)


@_answers("AnswerInfo")
class AnswerInfo:
    """Where an answer comes from."""
    request_id: str
    model: str
    checkpoint: str
    generation_id: int


@_answers("HookPoint")
class HookPoint:
    """A place in the residual stream."""
    kind: str  # RESID_PRE, RESID_POST, ATTN_OUT, RESID_MID or MLP_OUT
    layer: int

    def __str__(self):
        return f"{self.kind.lower()}[{self.layer}]"


@_answers("ConceptLabel")
class ConceptLabel:
    """What a column of the readings belongs to."""
    name: str
    slot: int
    active_mean: float
    threshold: float


@_answers("ConceptReading")
class ConceptReading:
    """All concept slots at one position; columns as in the answer's `concepts`."""
    position: int
    values: tuple[float, ...]
    probabilities: tuple[float, ...]
    top_concept: str
    top_index: int
    margin: float
    bound: bool
    outside_absence: str = ""              # Why the two below are None.
    outside: Optional[bool] = None         # Of what the checkpoint knows.
    outside_ratio: Optional[float] = None  # Outside above 1.
    mean_of: int = 0  # Positions that it is the mean of, the last of them `position`; 0: one.


@_answers("PromptReading")
class PromptReading:
    """One prompt of a ReadAnswer."""
    prompt_token_ids: tuple[int, ...]
    reading: ConceptReading


@_answers("ReadConceptsResponse")
class ReadAnswer:
    """What `read` gives. Iterate over it for the readings, one a prompt."""
    info: AnswerInfo
    concepts: tuple[ConceptLabel, ...]
    readings: tuple[PromptReading, ...]
    hook_point: HookPoint
    prompt_token_count: int

    def __iter__(self):
        return (each.reading for each in self.readings)

    def __len__(self):
        return len(self.readings)

    def __getitem__(self, index):
        return self.readings[index].reading

    def probabilities(self, index=0):
        """{concept: probability} of one prompt."""
        return dict(zip((c.name for c in self.concepts), self[index].probabilities))

    def values(self, index=0):
        """{concept: slot value} of one prompt."""
        return dict(zip((c.name for c in self.concepts), self[index].values))


@_answers("FeatureValue")
class FeatureValue:
    """A feature and its value."""
    feature: int
    value: float


@_answers("FeatureSummary")
class FeatureSummary:
    """What is known of the whole feature vector at one position."""
    top_features: tuple[FeatureValue, ...]
    l0: int
    reconstruction_error: float
    residual_norm: float


@_answers("TokenSlots")
class TokenSlots:
    """One position of an InspectAnswer."""
    token_id: int
    piece: bytes
    reading: ConceptReading
    features: Optional[FeatureSummary] = None


@_answers("InspectSlotsResponse")
class InspectAnswer:
    """What `inspect` gives."""
    info: AnswerInfo
    concepts: tuple[ConceptLabel, ...]
    tokens: tuple[TokenSlots, ...]
    hook_point: HookPoint
    prompt_token_ids: tuple[int, ...]
    top_k: int


@_answers("TokenEffect")
class TokenEffect:
    """A token and what a direction adds to its logit."""
    token_id: int
    piece: bytes
    logit: float


@_answers("DirectEffect")
class DirectEffect:
    """The largest and the smallest logits."""
    top: tuple[TokenEffect, ...]
    bottom: tuple[TokenEffect, ...]


@_answers("ExplainSlotResponse")
class ExplainAnswer:
    """What `explain` gives: with_ln_f is to be divided by the standard deviation of what the
    last layer norm is given, without_ln_f is what a model without it would add."""
    info: AnswerInfo
    slot: int
    concept_name: str
    hook_point: HookPoint
    direction_norm: float
    with_ln_f: DirectEffect
    without_ln_f: Optional[DirectEffect] = None


@_answers("TokenLogprob")
class TokenLogprob:
    """An alternative at one position."""
    id: int
    logprob: float
    piece: bytes


@_answers("PromptToken")
class PromptToken:
    """One token of the prompt; the first has no logprob, since it follows nothing."""
    id: int
    piece: bytes
    top_logprobs: tuple[TokenLogprob, ...]
    logprob: Optional[float] = None


@_answers("Token")
class Token:
    """One generated token."""
    id: int
    piece: bytes
    logprob: float
    top_logprobs: tuple[TokenLogprob, ...]
    position: int
    reading: Optional[ConceptReading] = None


@_answers("PositionEffect")
class PositionEffect:
    """What one intervention did at one position."""
    position: int
    residual_norm: float
    change_norm: float
    source_concept: str
    target_before: float
    target_after: float
    source_slot: Optional[int] = None
    source_before: Optional[float] = None
    source_after: Optional[float] = None


@_answers("InterventionReceipt")
class InterventionReceipt:
    """What one intervention did over the whole answer."""
    mode: str
    checkpoint: str
    target_concept: str
    target_slot: int
    source_concept: str
    hook_point: HookPoint
    unit: str
    positions_applied: int
    effects: tuple[PositionEffect, ...]
    generation_id: int  # Of the model that it ran on.
    receipt_id: str  # Of the answer; the server's audit log has it too.
    positions_checked: int  # With Edit.when: at so many the condition was looked at.
    source_slot: Optional[int] = None
    alpha: Optional[float] = None
    vector_norm: Optional[float] = None  # Of a vector of the caller's own.
    condition: Optional[bool] = None     # With Edit.when: whether it held anywhere.


@_answers("OffTargetSlot")
class OffTargetSlot:
    """A concept that no edit names: the largest change of its slot at edited positions."""
    checkpoint: str
    concept_name: str
    slot: int
    change: float
    relative_change: float  # Its size in active means.
    position: int


@_answers("SideEffects")
class SideEffects:
    """What the edits of a steered arm did besides what they are for."""
    off_target: tuple[OffTargetSlot, ...]
    kl: tuple[float, ...]  # From the baseline, nats, a value for each generated token.
    max_off_target: Optional[float] = None
    mean_kl: Optional[float] = None
    max_kl: Optional[float] = None
    first_divergence: Optional[int] = None  # Generated token, from 0; None: none differs.
    max_norm_ratio: Optional[float] = None


@_answers("GuardStop")
class GuardStop:
    """Why a guard ended an arm."""
    limit: str  # NORM_RATIO, OFF_TARGET or KL
    allowed: float
    value: float
    position: int
    concept_name: str  # Of OFF_TARGET.


@_answers("ArmResult")
class ArmResult:
    """The answer of one arm."""
    arm: str  # BASELINE or STEERED
    text: str
    tokens: tuple[Token, ...]
    finish_reason: str
    generated_token_count: int
    receipts: tuple[InterventionReceipt, ...]
    total_logprob: float
    stop_sequence: str
    prompt_tokens: tuple[PromptToken, ...]  # With prompt_logprobs.
    prompt_reading: Optional[ConceptReading] = None
    side_effects: Optional[SideEffects] = None  # Of a steered arm, where asked for.
    guard_stop: Optional[GuardStop] = None      # With finish_reason "GUARD".


@_answers("SwapResponse")
class SwapAnswer:
    """What `swap` gives."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    baseline: ArmResult
    steered: ArmResult
    seed: int
    prompt_token_count: int


@_answers("CompleteResponse")
class CompleteAnswer:
    """What `complete` gives."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    arms: tuple[ArmResult, ...]
    seed: int
    prompt_token_count: int

    @property
    def text(self):
        """Text of the last arm: the steered one where there is one."""
        return self.arms[-1].text


@_answers("GenerationStarted")
class GenerationStarted:
    """First event of `generate`."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    seed: int


@_answers("PromptDelta")
class PromptDelta:
    """Tokens of the prompt, with prompt_logprobs; `position` is the first one's."""
    arm: str
    position: int
    tokens: tuple[PromptToken, ...]


@_answers("TokenDelta")
class TokenDelta:
    """A token, and the text that it completes (may be empty)."""
    arm: str
    token: Token
    text: str


@_answers("TraceDelta")
class TraceDelta:
    """Concept slots at a token that came before."""
    arm: str
    reading: ConceptReading


@_answers("ArmFinished")
class ArmFinished:
    """An arm is done; `text_tail` is text that was held back."""
    arm: str
    text_tail: str
    finish_reason: str


@_answers("GenerationSummary")
class GenerationSummary:
    """Last event of `generate`."""
    arms: tuple[ArmResult, ...]
    seed: int
    prompt_token_count: int
    info: AnswerInfo


GenerationEvent = Union[GenerationStarted, PromptDelta, TokenDelta, TraceDelta, ArmFinished,
                        GenerationSummary]


@_answers("SweepStarted")
class SweepStarted:
    """First event of `sweep_events`."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    seed: int
    cell_count: int


@_answers("SweepCell")
class SweepCell:
    """One answer of a sweep."""
    index: int
    baseline: bool
    target_index: int
    target: str
    alpha_index: int
    alpha: float
    result: ArmResult


@_answers("SweepSummary")
class SweepSummary:
    """Last event of `sweep_events`."""
    info: AnswerInfo
    cell_count: int
    prompt_token_count: int
    generated_token_count: int


SweepEvent = Union[SweepStarted, SweepCell, SweepSummary]


@dataclasses.dataclass(frozen=True)
class SweepAnswer:
    """What `sweep` gives: the whole stream. cells[0] is the baseline, then the first
    target's alphas, and so on."""
    started: SweepStarted
    cells: tuple[SweepCell, ...]
    summary: SweepSummary

    @classmethod
    def of(cls, events):
        started, *cells, summary = events
        return cls(started, tuple(sorted(cells, key=lambda cell: cell.index)), summary)
