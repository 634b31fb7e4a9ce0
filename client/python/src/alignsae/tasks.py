"""What is asked about each row of a corpus. A row is a dict; what is made of it is the same
dict with "answer" (a dict, or None) and "error" (None, or code, reason and message).

`process` is the one function behind alignsae.batch and alignsae.ray_data.
"""
import dataclasses
from typing import Optional, Sequence

from alignsae import errors
from alignsae.edits import Text

FORMS = ("question", "text", "token_ids")


@dataclasses.dataclass(frozen=True)
class Task:
    """Base of Read, Swap and Complete."""
    column: str = "question"  # Where the prompt stands in a row.
    form: str = "question"    # question (into the model's template), text or token_ids.
    checkpoint: str = ""

    rows_per_call = 1

    def __post_init__(self):
        if self.form not in FORMS:
            raise ValueError(f"form: must be one of {', '.join(FORMS)}, got {self.form!r}")

    def prompt(self, row):
        """The prompt of a row; ValueError when it has none."""
        if not isinstance(row, dict) or self.column not in row:
            raise ValueError(f"must have {self.column!r}")
        value = row[self.column]
        if self.form == "token_ids":
            return [int(item) for item in value]
        if not isinstance(value, str):
            raise ValueError(f"{self.column}: must be a string, got {type(value).__name__}")
        return Text(value) if self.form == "text" else value

    def ask(self, client, prompts):
        """The answers to `prompts`, as dicts."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Read(Task):
    """Which concept is the model using?"""
    position: Optional[int] = None

    rows_per_call = 32

    def ask(self, client, prompts):
        return self.answers(client.read(prompts, checkpoint=self.checkpoint,
                                        position=self.position))

    @staticmethod
    def answers(answer):
        """What is kept of a ReadAnswer, for each of its prompts."""
        return [{"top_concept": reading.top_concept, "margin": reading.margin,
                 "bound": reading.bound, "values": answer.values(i),
                 "probabilities": answer.probabilities(i)} for i, reading in enumerate(answer)]


@dataclasses.dataclass(frozen=True)
class Swap(Task):
    """The answer without and with the top concept (or `source`) swapped for `to`."""
    to: str = ""  # REQUIRED.
    source: Optional[str] = None
    alpha: Optional[float] = None
    max_new_tokens: Optional[int] = None

    def __post_init__(self):
        super().__post_init__()
        if not self.to:
            raise ValueError("to: must be given, the concept to put in")

    def ask(self, client, prompts):
        [prompt] = prompts
        answer = client.swap(prompt, self.to, source=self.source, alpha=self.alpha,
                             checkpoint=self.checkpoint, max_new_tokens=self.max_new_tokens)
        return [{"top_concept": answer.baseline.prompt_reading.top_concept,
                 "baseline": answer.baseline.text, "steered": answer.steered.text,
                 "baseline_logprob": answer.baseline.total_logprob,
                 "steered_logprob": answer.steered.total_logprob, "seed": answer.seed}]


@dataclasses.dataclass(frozen=True)
class Complete(Task):
    """The answer with interventions (alignsae.Edit's short form), or with none."""
    edits: Sequence[str] = ()
    max_new_tokens: Optional[int] = None
    temperature: Optional[float] = None
    seed: Optional[int] = None

    def ask(self, client, prompts):
        [prompt] = prompts
        answer = client.complete(prompt, self.edits, checkpoint=self.checkpoint,
                                 max_new_tokens=self.max_new_tokens,
                                 temperature=self.temperature, seed=self.seed)
        [arm] = answer.arms
        return [{"text": arm.text, "finish_reason": arm.finish_reason,
                 "logprob": arm.total_logprob, "tokens": arm.generated_token_count,
                 "seed": answer.seed}]


def _is_of_the_row(error):
    """Whether a failure says something of the row, and not of the task or the server."""
    if isinstance(error, errors.NonFiniteError):
        return True
    return isinstance(error, errors.InvalidArgumentError) and (
        error.reason in ("PROMPT_TOO_LONG", "REPLY_TOO_LARGE")
        or any(found.field.startswith("prompt") for found in error.violations))


def _failed(row, code, reason, message):
    return {**row, "answer": None, "error": {"code": code, "reason": reason, "message": message}}


def prepare(task, rows):
    """(done, asked, prompts): what is made of rows that have no prompt, and the others'
    numbers and prompts."""
    done, asked, prompts = [None] * len(rows), [], []
    for i, row in enumerate(rows):
        try:
            prompts.append(task.prompt(row))
            asked.append(i)
        except (TypeError, ValueError) as wrong:
            done[i] = _failed(row if isinstance(row, dict) else {}, "INVALID_ARGUMENT", "BAD_ROW",
                              str(wrong))
    return done, asked, prompts


def answered(rows, done, asked, made):
    """`done`, with an answer or an error for each of the rows that were asked about."""
    for i, one in zip(asked, made, strict=True):
        if isinstance(one, errors.AlignSaeError):
            done[i] = _failed(rows[i], one.code, one.reason, one.message)
        else:
            done[i] = {**rows[i], "answer": one, "error": None}
    return done


def process(client, task, rows):
    """What is made of `rows`, in order. A failure that is a row's own is told there; any
    other is raised."""
    done, asked, prompts = prepare(task, rows)
    for start in range(0, len(asked), task.rows_per_call):
        part = slice(start, start + task.rows_per_call)
        answered(rows, done, asked[part], _ask(client, task, prompts[part]))
    return done


def _ask(client, task, prompts):
    """Answers and errors of prompts that may share one call. One bad prompt fails the call
    of all: then each is asked alone."""
    try:
        return task.ask(client, prompts)
    except errors.AlignSaeError as error:
        if not _is_of_the_row(error):
            raise
        if len(prompts) == 1:
            return [error]
        return [made for prompt in prompts for made in _ask(client, task, [prompt])]
