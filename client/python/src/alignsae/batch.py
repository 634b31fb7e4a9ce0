"""Asks about every row of a corpus, JSONL or Parquet, and writes a JSONL file.

    python -m alignsae.batch corpus.jsonl --out read.jsonl
    python -m alignsae.batch corpus.parquet --out swapped.jsonl --swap-to employer --column prompt

Line i of the result is row i of the corpus with its "answer" or its "error". A run that was
ended, however, goes on where it stopped when it is started again. Reading goes over one call
(ReadConceptsStream), everything else over several at once.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import sys

from alignsae import AlignSaeError, Client, Retries, streams, tasks

# A corpus waits for its turn as long as it takes; only its calls have deadlines.
PATIENT = {"timeout": 120.0, "retries": Retries(max_attempts=50, max_pause=5.0, budget=0)}


@dataclasses.dataclass(frozen=True)
class Report:
    """What a run did."""
    rows: int     # Of the whole result.
    resumed: int  # Of them, those that an earlier run had made.
    errors: int   # Rows of this run with an error.


def _json_lines(path):
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                yield line  # process() tells that it is no object.


def _parquet(path):
    try:
        from pyarrow import parquet  # pylint: disable=import-outside-toplevel
    except ImportError as missing:
        raise ImportError("a Parquet corpus needs pyarrow: pip install 'alignsae[batch]'"
                          ) from missing
    return parquet.ParquetFile(path)


def _parquet_rows(path):
    for part in _parquet(path).iter_batches(batch_size=1024):
        yield from part.to_pylist()


def rows_of(corpus):
    """The rows of a file; blank lines of JSONL are none."""
    path = pathlib.Path(corpus)
    return _parquet_rows(path) if path.suffix == ".parquet" else _json_lines(path)


def _fingerprint(corpus):
    """Size, and hash of both ends: enough to see that another file lies there."""
    size = os.path.getsize(corpus)
    digest = hashlib.sha256()
    with open(corpus, "rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(0, size - (1 << 20)))
        digest.update(file.read())
    return {"bytes": size, "sha256_of_ends": digest.hexdigest()}


def _job(client, corpus, task):
    """What must be the same for a run to go on: corpus, task, and what is served."""
    job = {"corpus": _fingerprint(corpus), "task": type(task).__name__,
           **json.loads(json.dumps(dataclasses.asdict(task)))}
    # A server that is not there at all is told at once.
    answer = client.with_options(retries=Retries()).model()
    job["served"] = [answer.model.sha256, *(each.sha256 for each in answer.checkpoints)]
    return job


def _finished_rows(out):
    """Whole lines in `out`; what a torn last line left is cut off."""
    whole = count = 0
    with open(out, "r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            count += 1
        file.truncate(whole)
    return count


def _resume(out, job):
    """Rows that an earlier run of the same job made; 0 for a new one."""
    note = out.with_name(out.name + ".job.json")
    if not out.exists():
        note.write_text(json.dumps(job, indent=1) + "\n")
        return 0
    if not note.exists():
        raise FileExistsError(f"{out}: is there, and no {note.name} says of what")
    if json.loads(note.read_text()) != job:
        raise FileExistsError(f"{out}: was made of another corpus, task or model: see {note.name}")
    return _finished_rows(out)


def _count(corpus):
    """Rows of a file."""
    path = pathlib.Path(corpus)
    if path.suffix == ".parquet":
        return _parquet(path).metadata.num_rows
    with open(path, "rb") as lines:
        return sum(not line.isspace() for line in lines)


def _progress(wanted, corpus, done):
    """A bar where it is wanted and tqdm is installed."""
    if not wanted:
        return contextlib.nullcontext()
    try:
        from tqdm import tqdm  # pylint: disable=import-outside-toplevel
    except ImportError:
        return contextlib.nullcontext()
    return tqdm(initial=done, total=_count(corpus), unit=" rows")


def _chunks(rows, size):
    while chunk := list(itertools.islice(rows, size)):
        yield chunk


def _results(client, task, rows, workers):
    """process() of chunks, several at once, in order."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        try:
            for chunk in _chunks(rows, task.rows_per_call):
                waiting.append(pool.submit(tasks.process, client, task, chunk))
                if len(waiting) >= 2 * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _streamed(client, task, rows, workers):
    """As _results, over one call where the server has it."""
    reader = streams.Reader(client, task, _chunks(rows, task.rows_per_call))
    try:
        yield from reader
    except AlignSaeError as error:
        if error.code != "UNIMPLEMENTED":
            raise
        print("alignsae.batch: the server has no ReadConceptsStream; it is asked with single "
              "calls", file=sys.stderr)
        yield from _results(client, task, itertools.chain.from_iterable(reader.left()), workers)


def run(corpus, out, task, server="127.0.0.1:50051", *, workers=8, progress=True, **options):
    """Asks `task` (tasks.Read, Swap or Complete) about every row of `corpus` and writes
    `out`. `options` are those of Client. Returns a Report."""
    out = pathlib.Path(out)
    with Client(server, **{**PATIENT, **options}) as client:
        resumed = _resume(out, _job(client, corpus, task))
        rows = itertools.islice(rows_of(corpus), resumed, None)
        count = failed = 0
        with (open(out, "a", encoding="utf-8") as file,
              _progress(progress, corpus, resumed) as bar):
            way = _streamed if isinstance(task, tasks.Read) else _results
            for made in way(client, task, rows, workers):
                file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n"
                                for row in made)
                file.flush()
                count += len(made)
                failed += sum(row["error"] is not None for row in made)
                if bar is not None:
                    bar.update(len(made))
    return Report(resumed + count, resumed, failed)


def _parser():
    parser = argparse.ArgumentParser("alignsae.batch", description=__doc__.splitlines()[0])
    parser.add_argument("corpus", help="JSONL, or Parquet (.parquet)")
    parser.add_argument("--out", required=True, help="JSONL file; an unfinished one goes on")
    parser.add_argument("--server", default=os.environ.get("ALIGNSAE_SERVER", "127.0.0.1:50051"))
    parser.add_argument("--column", default="question", help="where the prompt stands")
    parser.add_argument("--form", choices=tasks.FORMS, default="question")
    parser.add_argument("--checkpoint", default="")
    parser.add_argument("--workers", type=int, default=8, help="calls at once")
    parser.add_argument("--quiet", action="store_true")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--swap-to", metavar="CONCEPT", help="swap instead of reading")
    what.add_argument("--edit", action="append", metavar="MODE:TARGET@ALPHA",
                      help="complete with this intervention instead; repeatable")
    what.add_argument("--complete", action="store_true", help="complete without any")
    parser.add_argument("--max-new-tokens", type=int)
    return parser


def main(arguments=None):
    args = _parser().parse_args(arguments)
    common = {"column": args.column, "form": args.form, "checkpoint": args.checkpoint}
    if args.swap_to:
        task = tasks.Swap(to=args.swap_to, max_new_tokens=args.max_new_tokens, **common)
    elif args.edit or args.complete:
        task = tasks.Complete(edits=tuple(args.edit or ()), max_new_tokens=args.max_new_tokens,
                              **common)
    else:
        task = tasks.Read(**common)
    try:
        report = run(args.corpus, args.out, task, args.server, workers=args.workers,
                     progress=not args.quiet)
    except (OSError, ImportError, AlignSaeError) as wrong:
        sys.exit(f"alignsae.batch: {wrong}")
    except KeyboardInterrupt:
        sys.exit("alignsae.batch: stopped; the same command goes on")
    print(f"{args.out}: {report.rows} rows ({report.resumed} were there), "
          f"{report.errors} with an error", file=sys.stderr)


if __name__ == "__main__":
    main()
