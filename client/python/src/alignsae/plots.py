"""Answers as figures. Needs the extra "plots". Each draws on `ax` (default: the axes of
a new figure) and returns it."""
from matplotlib import pyplot

from alignsae import frames


def _axes(ax, width, height):
    return pyplot.subplots(figsize=(width, height), layout="constrained")[1] if ax is None else ax


def reading(answer, index=0, ax=None):
    """Of `read`: bars of the concepts' probabilities for one prompt."""
    shares = sorted(answer.probabilities(index).items(), key=lambda pair: pair[1])
    ax = _axes(ax, 5, 0.5 + 0.35 * len(shares))
    ax.barh([name for name, _ in shares], [share for _, share in shares])
    ax.set(xlim=(0, 1), xlabel="probability", title=answer[index].top_concept)
    return ax


def inspection(answer, ax=None):
    """Of `inspect`: concepts over tokens, the slots' values as colours."""
    names = [concept.name for concept in answer.concepts]
    table = frames.inspection(answer)
    ax = _axes(ax, 2 + 0.4 * len(table), 1 + 0.35 * len(names))
    image = ax.imshow(table[names].to_numpy().T, aspect="auto", cmap="viridis")
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(len(table)), table["piece"].str.replace("\n", "\\n"), rotation=90)
    ax.figure.colorbar(image, ax=ax, label="slot value")
    return ax


def sweep(answer, ax=None):
    """Of `sweep`: logprob a token over alpha, a line a target; filled where the text is
    another than the baseline's, which is the dashed line."""
    table = frames.sweep(answer)
    table["mean"] = table["logprob"] / table["tokens"].clip(lower=1)
    ax = _axes(ax, 6, 4)
    ax.axhline(table["mean"][0], linestyle="--", color="grey", label="baseline")
    for target, rows in table[1:].groupby("target", sort=False):
        rows = rows.sort_values("alpha")
        [line] = ax.plot(rows["alpha"], rows["mean"], label=target)
        for changed, part in rows.groupby("changed"):
            ax.plot(part["alpha"], part["mean"], "o", color=line.get_color(),
                    fillstyle="full" if changed else "none")
    ax.set(xlabel="alpha", ylabel="logprob a token")
    ax.legend()
    return ax
