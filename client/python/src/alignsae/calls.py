"""The calls of the API: what is asked, by which method, and what is made of the answer.

Nothing here talks to a server: Client and AsyncClient carry the same calls out.
"""
import dataclasses
from typing import Any, Callable, Generic, Mapping, Optional, Sequence, TypedDict, TypeVar, Union, Unpack

from alignsae import (_enums, _wire, answers, edits, model_answers, search_answers,
                      validate_answers, watch_answers)
from alignsae.edits import ConceptRef, Edit, Positions, Prompt, Text

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Call(Generic[T]):
    """A call that can be made, again and again."""
    method: str      # "SteeringService/Swap"
    request: Any     # Its message.
    parse: Callable[[Any], T]  # Of a message of the answer.


class Sampling(TypedDict, total=False):
    """How to generate; what is not given has the server's default."""
    max_new_tokens: int
    temperature: float         # 0: greedy (default).
    top_k: int
    top_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    logit_bias: Mapping[int, float]  # Token id -> what is added to its logit.
    min_new_tokens: int        # No end-of-text token before so many.
    seed: int
    stop: Sequence[str]        # The answer ends before any of these.
    top_logprobs: int
    prompt_logprobs: int       # The prompt's tokens too, with so many alternatives.
    ignore_eos: bool
    concept_trace: bool        # Read the concepts at every token.
    abort_when: str            # "major", "!major" or "major>2": ends the answer there.


def _generation(sampling):
    unknown = set(sampling) - set(Sampling.__annotations__)
    if unknown:
        raise TypeError(f"unknown argument {sorted(unknown)[0]!r}: sampling takes "
                        f"{', '.join(Sampling.__annotations__)}")
    values = {key: value for key, value in sampling.items() if value is not None}
    stop = values.pop("stop", ())
    if "abort_when" in values:
        values["abort_when"] = edits.condition_message(values["abort_when"])
    return _wire.message("GenerationConfig")(
        stop_sequences=[stop] if isinstance(stop, str) else stop, **values)


def _call(method, parse=answers.from_message, **fields):
    _, request, _ = _wire.method(method)
    given = {name: value for name, value in fields.items() if value is not None}
    return Call(method, request(**given), parse)


class Guard(TypedDict, total=False):
    """Limits of a steered arm, which ends before the first token that passes one."""
    max_norm_ratio: float  # norm(change) / norm(h) of an edit.
    max_off_target: float  # Change of another concept's slot, in active means.
    max_kl: float          # From the baseline, nats, of a token.


def _guard(limits):
    return None if limits is None else _wire.message("SteeringGuard")(**limits)


def _concept(ref):
    return None if ref is None else edits.concept_message(ref)


def model() -> Call[model_answers.ModelAnswer]:
    """The model, its checkpoints, limits and versions."""
    return _call("ModelService/GetModel")


def concepts(checkpoint: str = "", *,
             include_evaluation: bool = False) -> Call[model_answers.ConceptsAnswer]:
    """Every concept of every checkpoint (or of one) with its calibration."""
    return _call("ModelService/ListConcepts", checkpoint=checkpoint,
                 include_evaluation=include_evaluation)


def tokenize(prompt: Union[str, Text], *,
             parse_special: bool = False) -> Call[model_answers.TokenizeAnswer]:
    """The tokens of a question (in the model's template) or of Text."""
    form = "text" if isinstance(prompt, Text) else "question"
    words = prompt.text if isinstance(prompt, Text) else prompt
    return _call("ModelService/Tokenize", parse_special=parse_special, **{form: words})


def detokenize(token_ids: Sequence[int]) -> Call[model_answers.DetokenizeAnswer]:
    """Token ids to text."""
    return _call("ModelService/Detokenize", token_ids=token_ids)


def read(prompts: Union[Prompt, Sequence[Prompt]], *, checkpoint: str = "",
         position: Optional[int] = None, position_text: str = "",
         span_reading: str = "") -> Call[answers.ReadAnswer]:
    """Which concept is the model using? All slots at one position (default: the last) of
    each prompt, or at a text, such as a name, that stands once in each: at its last token or
    as the mean over all of them, by `span_reading` ("last", "mean"; default: as the checkpoint
    was trained)."""
    reading = _enums.number("SpanReading", span_reading, "span_reading") if span_reading else 0
    return _call("ConceptService/ReadConcepts", prompts=edits.prompt_messages(prompts),
                 checkpoint=checkpoint, position=position, position_text=position_text,
                 span_reading=reading)


def inspect(prompt: Prompt, *, positions: Optional[Positions] = None,
            top_k: Optional[int] = None, checkpoint: str = "") -> Call[answers.InspectAnswer]:
    """All slots at every token, and the largest `top_k` of all features where the server
    has the whole SAE."""
    selected = None if positions is None else edits.positions_message(positions)
    return _call("ConceptService/InspectSlots", prompt=edits.prompt_message(prompt),
                 positions=selected, top_k=top_k, checkpoint=checkpoint)


def explain(slot: ConceptRef, *, top_k: Optional[int] = None,
            checkpoint: str = "") -> Call[answers.ExplainAnswer]:
    """Which tokens a slot makes more and less likely by itself: the direct way through the
    unembedding, without the blocks between."""
    return _call("ConceptService/ExplainSlot", slot=_concept(slot), top_k=top_k,
                 checkpoint=checkpoint)


def swap(prompt: Prompt, to: ConceptRef, *, source: Optional[ConceptRef] = None,
         alpha: Optional[float] = None, positions: Optional[Positions] = None,
         generated: bool = False, checkpoint: str = "", when: Optional[str] = None,
         guard: Optional[Guard] = None, side_effects: bool = False,
         **sampling: Unpack[Sampling]) -> Call[answers.SwapAnswer]:
    """One concept (default: the top one) swapped for another: the answer without and with
    it, and the receipt of what was changed. `when`: only at positions whose reading says so,
    as in Edit. `side_effects`: ArmResult.side_effects of the steered arm."""
    return _call("SteeringService/Swap", prompt=edits.prompt_message(prompt),
                 target=_concept(to), source=_concept(source), alpha=alpha,
                 positions=edits.positions_message(positions, generated),
                 when=edits.when_message(when),
                 guard=_guard(guard), side_effects=side_effects,
                 checkpoint=checkpoint, generation=_generation(sampling))


def _generate(method, parse, prompt, interventions, arms, checkpoint, guard, side_effects,
              sampling):
    chosen = _enums.number("ArmSelection", arms, "arms") if arms else None
    listed = [interventions] if isinstance(interventions, (str, Edit)) else interventions
    return _call(method, parse, prompt=edits.prompt_message(prompt),
                 interventions=[edits.edit_message(edit) for edit in listed], arms=chosen,
                 guard=_guard(guard), side_effects=side_effects,
                 checkpoint=checkpoint, generation=_generation(sampling))


def generate(prompt: Prompt, interventions: Union[str, Edit, Sequence[Union[str, Edit]]] = (), *,
             arms: str = "", checkpoint: str = "", guard: Optional[Guard] = None,
             side_effects: bool = False,
             **sampling: Unpack[Sampling]) -> Call[answers.GenerationEvent]:
    """Any interventions, token by token: GenerationStarted, then PromptDelta (with
    prompt_logprobs), TokenDelta, TraceDelta and ArmFinished of the arms ("baseline", "steered" or "both"), then GenerationSummary."""
    return _generate("SteeringService/Generate", answers.event_of, prompt, interventions, arms,
                     checkpoint, guard, side_effects, sampling)


def complete(prompt: Prompt, interventions: Union[str, Edit, Sequence[Union[str, Edit]]] = (), *,
             arms: str = "", checkpoint: str = "", guard: Optional[Guard] = None,
             side_effects: bool = False,
             **sampling: Unpack[Sampling]) -> Call[answers.CompleteAnswer]:
    """As generate, in one answer."""
    return _generate("SteeringService/Complete", answers.from_message, prompt, interventions,
                     arms, checkpoint, guard, side_effects, sampling)


def sweep(prompt: Prompt, to: Union[ConceptRef, Sequence[ConceptRef]], alphas: Sequence[float], *,
          mode: str = "swap", source: Optional[ConceptRef] = None, raw: bool = False,
          positions: Optional[Positions] = None, generated: bool = False, checkpoint: str = "",
          when: Optional[str] = None,
          **sampling: Unpack[Sampling]) -> Call[answers.SweepEvent]:
    """A dose-response curve: the answer with each target at each alpha, and without. `when`:
    as in swap."""
    targets = [to] if isinstance(to, (str, int)) else to
    return _call("SteeringService/SweepAlpha", answers.event_of,
                 prompt=edits.prompt_message(prompt),
                 mode=_enums.number("InterventionMode", mode, "mode"), source=_concept(source),
                 targets=[edits.concept_message(target) for target in targets], alphas=alphas,
                 unit=_enums.number("AlphaUnit", "raw", "raw") if raw else None,
                 positions=edits.positions_message(positions, generated),
                 when=edits.when_message(when), checkpoint=checkpoint,
                 generation=_generation(sampling))


def matrix(prompt: Prompt, concepts: Sequence[ConceptRef] = (), *,
           alpha: Optional[float] = None, expected: Optional[Mapping[str, str]] = None,
           positions: Optional[Positions] = None, generated: bool = False, checkpoint: str = "",
           when: Optional[str] = None,
           **sampling: Unpack[Sampling]) -> Call[search_answers.MatrixEvent]:
    """Every concept (default: all of the checkpoint) in the place of every other one: all
    ordered pairs, and the baseline. `expected` is {concept: what a swap to it should say};
    `when`: as in swap."""
    return _call("SteeringService/SwapMatrix", answers.event_of,
                 prompt=edits.prompt_message(prompt),
                 concepts=[edits.concept_message(each) for each in concepts], alpha=alpha,
                 targets=dict(expected) if expected else None,
                 positions=edits.positions_message(positions, generated),
                 when=edits.when_message(when), checkpoint=checkpoint,
                 generation=_generation(sampling))


def find_alpha(prompt: Prompt, to: ConceptRef, *, answer: Optional[str] = None,
               first_token: Optional[int] = None, on_top: bool = False,
               guard: Optional[Guard] = None, mode: str = "swap",
               source: Optional[ConceptRef] = None, raw: bool = False,
               min_alpha: Optional[float] = None, max_alpha: Optional[float] = None,
               precision: Optional[float] = None, max_tries: Optional[int] = None,
               positions: Optional[Positions] = None, generated: bool = False,
               checkpoint: str = "", when: Optional[str] = None,
               **sampling: Unpack[Sampling]) -> Call[search_answers.FindAlphaAnswer]:
    """The smallest alpha that reaches the goal, and the largest before it is lost again. The
    goal is the whole `answer`, the id of its `first_token`, or that the slot of `to` is
    `on_top` after the edit. An alpha that passes a limit of `guard` is broken: not reached, and
    its result.guard_stop says why. `when`: as in swap."""
    goals = {"answer": answer, "first_token": first_token, "target_on_top": on_top or None}
    goal = {name: value for name, value in goals.items() if value is not None}
    if len(goal) > 1:
        raise ValueError("answer, first_token, on_top: only one of them may be given")
    return _call("SteeringService/FindAlpha", prompt=edits.prompt_message(prompt),
                 mode=_enums.number("InterventionMode", mode, "mode"), source=_concept(source),
                 target=_concept(to),
                 unit=_enums.number("AlphaUnit", "raw", "raw") if raw else None,
                 goal=_wire.message("AlphaGoal")(**goal), guard=_guard(guard), min_alpha=min_alpha,
                 max_alpha=max_alpha, precision=precision, max_tries=max_tries,
                 positions=edits.positions_message(positions, generated),
                 when=edits.when_message(when), checkpoint=checkpoint,
                 generation=_generation(sampling))


def watch(*, checkpoint: str = "") -> Call[watch_answers.WatchAnswer]:
    """What the slots do on everybody's prompts, once a second, until the call's timeout (or
    the server's longest deadline) is near; watch again then."""
    return _call("ConceptService/WatchSlots", checkpoint=checkpoint)


def validate(prompts: Sequence[Mapping[str, Any]] = (), *, checkpoint: str = "",
             max_swaps: Optional[int] = None) -> Call[validate_answers.ValidationEvent]:
    """How well a checkpoint reads, swaps and keeps silent, on labelled prompts or on those that
    its bundle stores; the last event is the report. A prompt is a mapping with the fields of
    LabelledPrompt: "prompt" as in `read`, "concept_name" (empty: it asks none), "answer",
    "targets", "position"."""
    labelled = [_wire.message("LabelledPrompt")(
        **{**each, "prompt": edits.prompt_message(each["prompt"])}) for each in prompts]
    return _call("ConceptService/ValidateBinding", answers.event_of, prompts=labelled,
                 checkpoint=checkpoint, max_swaps=max_swaps)
