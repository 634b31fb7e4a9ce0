#!/usr/bin/env python3
"""Time from the start of alignsae-server to SERVING, with and without prepared weights at hand.

    tests/bench/start_time.py [--weight-type int8] [--runs 7]

Makes a model of GPT-2 small's shape with make_bench_bundle and starts the server of ALIGNSAE_BIN
on it again and again; the files are in the page cache. Rows: with nothing kept
(--prepared-cache=off), the start that writes the prepared weights, and those that read them;
columns: the fastest start and the median, from the start of the process to the first 200 of
/readyz, the same less the time that `alignsae-server --version` takes, which loads the libraries,
and the least processor time of a start, which others on the machine disturb less. The number type is measured before, in a start of its own.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "integration"))
# pylint: disable=wrong-import-position
from alignsae_server import BIN, DEMO, Server  # noqa: E402


def library_seconds():
    """Of the fastest of ten."""
    taken = []
    for _ in range(10):
        begun = time.monotonic()
        subprocess.run([BIN / "alignsae-server", "--version"], check=True, capture_output=True)
        taken.append(time.monotonic() - begun)
    return min(taken)


def start(bundle, *flags):
    """Seconds until it serves, of the clock and of processors, and what became of the prepared
    weights."""
    begun = time.monotonic()
    server = Server(*flags, "--kv-slots=16", bundle=bundle, wait=False)
    try:
        # pylint: disable-next=protected-access
        while not (server._read_ports() and server.http("/readyz")[0] == 200):
            if server.process.poll() is not None:
                sys.exit(server.log())
            time.sleep(0.002)
        taken = time.monotonic() - begun
        stat = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text()
        ticks = sum(map(int, stat.rsplit(")", 1)[1].split()[11:13]))
        said = re.findall(r"event=prepared_weights .*result=(\w+)", server.log())
        return taken, ticks / os.sysconf("SC_CLK_TCK"), said[-1] if said else "-"
    finally:
        server.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weight-type", default="int8")
    parser.add_argument("--runs", type=int, default=7)
    arguments = parser.parse_args()
    os.environ.pop("ALIGNSAE_CACHE_DIR", None)
    libraries = library_seconds()
    print(f"loading the libraries: {libraries:.2f} s")
    print(f"{'prepared weights':18} {'runs':>4} {'fastest s':>9} {'median s':>9} "
          f"{'beyond libraries s':>19} {'processors s':>13}")
    with tempfile.TemporaryDirectory(prefix="alignsae-start-") as folder:
        bundle, cache = f"{folder}/bundle", f"--cache-dir={folder}/cache"
        subprocess.run([BIN / "make_bench_bundle", DEMO, bundle], check=True, capture_output=True)
        flags = (cache, f"--weight-type={arguments.weight_type}")
        start(bundle, *flags, "--prepared-cache=off")  # Measures the number type.
        time.sleep(3)  # The hash of a file that is older is noted.
        for name, runs, more in (("off", arguments.runs, ("--prepared-cache=off",)),
                                 ("made", 1, ()), ("read", arguments.runs, ())):
            starts = [start(bundle, *flags, *more) for _ in range(runs)]
            told = {result for _, _, result in starts}
            assert told == {name if name != "off" else "-"}, told
            taken = [seconds for seconds, _, _ in starts]
            print(f"{name:18} {runs:4} {min(taken):9.2f} {statistics.median(taken):9.2f} "
                  f"{min(taken) - libraries:11.2f} to {statistics.median(taken) - libraries:.2f}"
                  f"{min(seconds for _, seconds, _ in starts):13.2f}",
                  flush=True)


if __name__ == "__main__":
    main()
