#!/usr/bin/env python3
"""What the prefix cache brings: prompts of one head and a question, with the cache on and off.

    tests/bench/shared_head.py --bundle DIR [--types int8,bf16] [--head 512] [--seconds 8]

DIR: of make_bench_bundle. For each number type it starts two servers of ALIGNSAE_BIN, one
with --prefix-cache-tokens=0, and lets alignsae-load ask them in turns, three times each: one
caller, one new token, the six example questions round and round behind the head. The best p50
of each and their ratio. Then, once, the same 6 x 3 questions (plain, and two swaps) of both, 24
tokens each: on how many the two agree to the last token.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
# pylint: disable=wrong-import-position
from alignsae_server import (BIN, Server, common, generation, model,  # noqa: E402
                             steering, swap_edit)

OFF = "--prefix-cache-tokens=0"


def p50(server, head, seconds, mix):
    """Milliseconds of a call."""
    with tempfile.TemporaryDirectory(prefix="alignsae-head-") as folder:
        report = pathlib.Path(folder) / "report.json"
        subprocess.run([BIN / "alignsae-load", f"--server={server.target}", "--concurrency=1",
                        f"--mix={mix}", "--max-new-tokens=1", f"--shared-head={head}",
                        f"--seconds={seconds}", "--warmup-seconds=2", "--health-seconds=0",
                        f"--json={report}"], check=True, stdout=subprocess.DEVNULL)
        return json.loads(report.read_text())["latency"][mix]["p50_ms"]


def answers(server, head):
    """The tokens that each question is answered with."""
    api = server.api()
    row = api.model.ListConcepts(model.ListConceptsRequest(), timeout=10).checkpoints[0]
    names = [entry.name for entry in row.concepts]
    prompts = [[token.id for token in api.model.Tokenize(
        model.TokenizeRequest(question=entry.example), timeout=10).tokens]
        for entry in row.concepts]
    shared = [token for prompt in prompts for token in prompt]
    shared = (shared * (head // len(shared) + 1))[:head]
    said = []
    for prompt in prompts:
        for edits in ((), (swap_edit(names[0], names[1]),), (swap_edit(names[1], names[2]),)):
            answer = api.steering.Complete(steering.CompleteRequest(
                prompt=common.Prompt(token_ids=common.TokenIds(ids=shared + prompt)),
                interventions=edits,
                generation=generation.GenerationConfig(max_new_tokens=24, ignore_eos=True)),
                timeout=60)
            said.append([token.id for token in answer.arms[-1].tokens])
    api.close()
    return said


def compare(bundle, weights, head, seconds):
    flags = [f"--weight-type={weights}", "--weight-type-check=off"]
    servers = [Server(*flags, bundle=bundle), Server(*flags, OFF, bundle=bundle)]
    try:
        for mix in ("complete", "read"):
            best = [min(times) for times in zip(*(
                [p50(server, head, seconds, mix) for server in servers] for _ in range(3)))]
            print(f"{weights:5} {mix:8} on {best[0]:7.1f} ms, off {best[1]:7.1f} ms, "
                  f"{best[1] / best[0]:5.1f}x", flush=True)
        both = list(zip(*(answers(server, head) for server in servers)))
        same = sum(on == off for on, off in both)
        print(f"{weights:5} answers that agree to the last token: {same} of {len(both)}",
              flush=True)
    finally:
        for server in servers:
            server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--types", default="int8,bf16")
    parser.add_argument("--head", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=8)
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors, head of {arguments.head} tokens")
    for weights in arguments.types.split(","):
        compare(arguments.bundle, weights, arguments.head, arguments.seconds)


if __name__ == "__main__":
    main()
