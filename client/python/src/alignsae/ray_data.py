"""The tasks of alignsae.batch over a Ray dataset.

    dataset = ray.data.read_parquet("corpus.parquet")
    answered = alignsae.ray_data.map_rows(dataset, alignsae.tasks.Read(), "10.0.0.7:50051")
    answered.write_parquet("answers")

Ray reports how it is used unless RAY_USAGE_STATS_ENABLED=0 is set before it starts.
"""
import pyarrow
from ray.data import ActorPoolStrategy

from alignsae import Client, tasks
from alignsae.batch import PATIENT

# Said beforehand: in a block without errors nothing shows what an error would be.
_ERROR = pyarrow.struct([(name, pyarrow.string()) for name in ("code", "reason", "message")])


class _Worker:
    """One Ray actor: a client of its own, for all blocks that it is given."""

    def __init__(self, task, server, options):
        self._client, self._task = Client(server, **{**PATIENT, **options}), task

    def __call__(self, table):
        made = tasks.process(self._client, self._task, table.to_pylist())
        for name, values in (
                ("answer", pyarrow.array([row["answer"] for row in made])),
                ("error", pyarrow.array([row["error"] for row in made], _ERROR))):
            table = table.append_column(name, values)
        return table


def map_rows(dataset, task, server="127.0.0.1:50051", *, concurrency=2, batch_size=128,
             **options):
    """The dataset with the columns "answer" and "error". `concurrency` actors ask at once;
    `options` are those of Client."""
    return dataset.map_batches(
        _Worker, fn_constructor_args=(task, server, options), batch_format="pyarrow",
        batch_size=batch_size, compute=ActorPoolStrategy(size=concurrency))
