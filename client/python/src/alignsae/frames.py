"""Answers as pandas data frames. Needs the extra "frames"."""
import pandas

from alignsae import answers


def readings(answer):
    """Of `read`: a row a prompt; top_concept, margin, bound, and a column for the
    probability of each concept."""
    return pandas.DataFrame(
        {"position": reading.position, "top_concept": reading.top_concept,
         "margin": reading.margin, "bound": reading.bound, "outside": reading.outside, **answer.probabilities(i)}
        for i, reading in enumerate(answer))


def inspection(answer):
    """Of `inspect`: a row a token, by position; the piece, a column for the value of each
    concept's slot, and l0 and reconstruction_error where the server has the whole SAE."""
    rows = []
    for token in answer.tokens:
        row = {"position": token.reading.position, "token_id": token.token_id,
               "piece": token.piece.decode("utf-8", "replace"),
               "top_concept": token.reading.top_concept, "bound": token.reading.bound,
               **dict(zip((c.name for c in answer.concepts), token.reading.values))}
        if token.features is not None:
            row.update(l0=token.features.l0,
                       reconstruction_error=token.features.reconstruction_error)
        rows.append(row)
    return pandas.DataFrame(rows).set_index("position")


def arms(answer):
    """Of `swap`, `complete`, or the summary of `generate`: a row an arm."""
    rows = ([answer.baseline, answer.steered] if isinstance(answer, answers.SwapAnswer)
            else answer.arms)
    return pandas.DataFrame(
        {"arm": arm.arm.lower(), "text": arm.text, "finish_reason": arm.finish_reason,
         "tokens": arm.generated_token_count, "logprob": arm.total_logprob} for arm in rows)


def tokens(arm):
    """Of an ArmResult: a row a generated token."""
    return pandas.DataFrame(
        {"position": token.position, "id": token.id,
         "piece": token.piece.decode("utf-8", "replace"), "logprob": token.logprob}
        for token in arm.tokens).set_index("position")


def receipts(arm):
    """Of an ArmResult: a row for each intervention and position that it edited."""
    return pandas.DataFrame(
        {"intervention": i, "mode": receipt.mode, "target": receipt.target_concept,
         "source": effect.source_concept, "alpha": receipt.alpha, "position": effect.position,
         "residual_norm": effect.residual_norm, "change_norm": effect.change_norm,
         "target_before": effect.target_before, "target_after": effect.target_after}
        for i, receipt in enumerate(arm.receipts) for effect in receipt.effects)


def sweep(answer):
    """Of `sweep`: a row a cell, the baseline first (no target, no alpha). `changed`: whether
    the text is another than the baseline's; `strength`: norm of the change over norm of the
    residual, the largest of the edited positions."""
    rows = []
    for cell in answer.cells:
        effects = [effect for receipt in cell.result.receipts for effect in receipt.effects]
        rows.append({
            "target": None if cell.baseline else cell.target,
            "alpha": None if cell.baseline else cell.alpha, "text": cell.result.text,
            "changed": cell.result.text != answer.cells[0].result.text,
            "logprob": cell.result.total_logprob,
            "tokens": cell.result.generated_token_count,
            "strength": max((effect.change_norm / effect.residual_norm for effect in effects
                             if effect.residual_norm), default=0.0)})
    return pandas.DataFrame(rows)
