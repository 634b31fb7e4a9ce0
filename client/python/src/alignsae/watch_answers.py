"""What the slots do on everybody's prompts, as `watch` tells it once a second."""
from typing import Optional

from alignsae.answers import AnswerInfo, _answers


@_answers("ConceptActivity")
class ConceptActivity:
    """What the slot of one concept did; the name is /metrics's."""
    name: str
    count: int
    mean_ratio: float
    ratio_counts: tuple[int, ...]
    top_count: int
    top_share: float
    steered_from: int
    steered_to: int


@_answers("SteeredPair")
class SteeredPair:
    """Interventions that cleared one concept and wrote another."""
    source: str
    target: str
    count: int


@_answers("SlotActivity")
class SlotActivity:
    """What all slots did in some time."""
    prompts: int
    unbound: int
    unbound_share: float
    concepts: tuple[ConceptActivity, ...]
    steered: tuple[SteeredPair, ...]
    outside: Optional[int] = None  # None: the checkpoint has no gate.
    outside_share: Optional[float] = None


@_answers("ReferenceShare")
class ReferenceShare:
    """A concept's part of the bundle's test prompts."""
    name: str
    share: float


@_answers("WatchSlotsResponse")
class WatchAnswer:
    """One look: the second before it, and everything since the server started."""
    info: AnswerInfo
    ratio_bounds: tuple[float, ...]
    seconds: float
    recent: SlotActivity
    total: SlotActivity
    reference: tuple[ReferenceShare, ...]
