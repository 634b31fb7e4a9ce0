"""What `matrix` and `find_alpha` tell: all pairs of concepts, and how strong is enough."""
import dataclasses
from typing import Optional, Union

from alignsae.answers import AnswerInfo, ArmResult, ConceptLabel, _answers


@_answers("SwapMatrixStarted")
class MatrixStarted:
    """First event of `matrix_events`."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    seed: int
    cell_count: int
    swapped: tuple[ConceptLabel, ...]  # n concepts: n (n - 1) pairs.


@_answers("SwapMatrixCell")
class MatrixCell:
    """One pair; source_index and target_index are into MatrixStarted.swapped."""
    index: int
    baseline: bool
    source_index: int
    target_index: int
    source: str
    target: str
    result: ArmResult
    matches: Optional[bool] = None  # Where an answer was expected.


@_answers("SwapMatrixSummary")
class MatrixSummary:
    """Last event of `matrix_events`."""
    info: AnswerInfo
    cell_count: int
    prompt_token_count: int
    generated_token_count: int
    expected_count: int
    matched_count: int


MatrixEvent = Union[MatrixStarted, MatrixCell, MatrixSummary]


@dataclasses.dataclass(frozen=True)
class MatrixAnswer:
    """What `matrix` gives: the whole stream. cells[0] is the baseline."""
    started: MatrixStarted
    cells: tuple[MatrixCell, ...]
    summary: MatrixSummary

    @classmethod
    def of(cls, events):
        started, *cells, summary = events
        return cls(started, tuple(sorted(cells, key=lambda cell: cell.index)), summary)

    def texts(self):
        """{(source, target): text} of all pairs."""
        return {(cell.source, cell.target): cell.result.text
                for cell in self.cells if not cell.baseline}


@_answers("AlphaTry")
class AlphaTry:
    """One alpha that was tried."""
    alpha: float
    reached: bool
    round: int
    result: ArmResult


@_answers("FindAlphaResponse")
class FindAlphaAnswer:
    """What `find_alpha` gives; smallest and largest are None where no try reached the goal."""
    info: AnswerInfo
    prompt_token_ids: tuple[int, ...]
    concepts: tuple[ConceptLabel, ...]
    seed: int
    prompt_token_count: int
    open_below: bool  # The smallest is the bottom of the range.
    open_above: bool
    exact: bool       # False: the tries ran out.
    baseline_reaches: bool
    baseline: ArmResult
    tries: tuple[AlphaTry, ...]
    rounds: int
    smallest: Optional[float] = None
    largest: Optional[float] = None
