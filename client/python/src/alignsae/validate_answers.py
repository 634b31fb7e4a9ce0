"""What `validate` tells: how well a checkpoint reads, swaps and keeps silent."""
from typing import Optional, Union

from alignsae.answers import AnswerInfo, _answers


@_answers("MeasuredShare")
class MeasuredShare:
    """A share that was counted, with its 95 % Wilson interval."""
    tries: int
    successes: int
    rate: float
    low: float
    high: float


@_answers("ConceptValidation")
class ConceptValidation:
    """One concept; `top_counts` is its row of the confusion."""
    name: str
    top_counts: tuple[int, ...]
    read: Optional[MeasuredShare] = None
    told: Optional[MeasuredShare] = None
    swap: Optional[MeasuredShare] = None


@_answers("ValidationStarted")
class ValidationStarted:
    """First of the stream."""
    info: AnswerInfo
    prompt_count: int
    swap_count: int
    stored: bool


@_answers("ValidationProgress")
class ValidationProgress:
    """Now and then."""
    prompts_done: int
    swaps_done: int


@_answers("ValidationReport")
class ValidationReport:
    """Last of the stream; shares of nothing are None."""
    info: AnswerInfo
    concepts: tuple[ConceptValidation, ...]
    tells_outside: bool
    read: Optional[MeasuredShare] = None
    abstention: Optional[MeasuredShare] = None
    silent_right: Optional[MeasuredShare] = None
    bound_wrong: Optional[MeasuredShare] = None
    swap: Optional[MeasuredShare] = None


ValidationEvent = Union[ValidationStarted, ValidationProgress, ValidationReport]
