"""What the server says of itself: model, checkpoints, concepts, limits, tokens."""
from typing import Optional

from alignsae.answers import AnswerInfo, HookPoint, _answers


@_answers("Model")
class Model:
    """The language model."""
    name: str
    version: str
    sha256: str
    n_layer: int
    n_head: int
    d_model: int
    context_length: int
    vocab_size: int
    prompt_template: str
    dtype: str
    dtype_reason: str  # What was asked for, and what the type changes.
    bundle_sha256: str
    eos_token_ids: tuple[int, ...]
    kernels: tuple[str, ...]  # What multiplies by its matrices; for people.
    eos_token_id: Optional[int] = None
    bos_token_id: Optional[int] = None


@_answers("Checkpoint")
class Checkpoint:
    """A checkpoint, without its concepts."""
    name: str
    sha256: str
    hook_point: HookPoint
    activation: str
    scale: float
    n_features: int
    n_concepts: int
    whole_sae_loaded: bool
    recommended_mode: str
    recommended_alpha: float
    version: str            # Of its bundle.
    generation_id: int      # The first of the model that had it.
    trained_positions: str  # LAST, ALL, LABELLED or SPAN
    tells_outside: bool     # Whether readings say if they are outside.


@_answers("Limits")
class Limits:
    """What this server accepts."""
    max_prompt_bytes: int
    max_prompts_per_batch: int
    max_new_tokens: int
    max_stop_sequences: int
    max_stop_sequence_bytes: int
    max_top_logprobs: int
    max_interventions: int
    max_top_features: int
    max_receive_message_bytes: int
    max_send_message_bytes: int
    max_deadline_seconds: float
    max_running_sequences: int
    max_queued_sequences: int
    max_queued_tokens: int
    max_sweep_cells: int
    max_logit_biases: int
    max_running_tokens: int


@_answers("GetModelResponse")
class ModelAnswer:
    """What `model` gives."""
    info: AnswerInfo
    model: Model
    checkpoints: tuple[Checkpoint, ...]
    limits: Limits
    server_version: str
    bundle: str
    served_models: tuple[str, ...]


@_answers("MeasuredSwap")
class MeasuredSwap:
    """Swaps to one concept from all others, on wordings that the checkpoint never saw."""
    tries: int
    successes: int
    rate: float
    low: float   # Of the rate's 95 % interval.
    high: float
    wordings: int
    people: int


@_answers("WriteCertificate")
class WriteCertificate:
    """How well a slot writes its concept."""
    cosine: float
    written_share: float
    predicted_alpha: Optional[float] = None
    measured_swap: Optional[MeasuredSwap] = None


@_answers("Concept")
class Concept:
    """A concept of a checkpoint."""
    name: str
    slot: int
    description: str
    example: str
    active_mean: float
    threshold: float
    decoder_norm: float
    certificate: Optional[WriteCertificate] = None


@_answers("CheckpointConcepts")
class CheckpointConcepts:
    """A checkpoint and its concepts."""
    checkpoint: Checkpoint
    concepts: tuple[Concept, ...]
    evaluation_json: str


@_answers("ListConceptsResponse")
class ConceptsAnswer:
    """What `concepts` gives."""
    info: AnswerInfo
    checkpoints: tuple[CheckpointConcepts, ...]

    def __getitem__(self, name):
        """The concept of this name, of the first checkpoint that has it."""
        for group in self.checkpoints:
            for concept in group.concepts:
                if concept.name == name:
                    return concept
        raise KeyError(name)


@_answers("TokenPiece")
class TokenPiece:
    """One token of a text."""
    id: int
    piece: bytes
    byte_offset: int
    special: bool


@_answers("TokenizeResponse")
class TokenizeAnswer:
    """What `tokenize` gives."""
    info: AnswerInfo
    tokens: tuple[TokenPiece, ...]
    text: str


@_answers("DetokenizeResponse")
class DetokenizeAnswer:
    """What `detokenize` gives."""
    info: AnswerInfo
    raw: bytes
    text: str
