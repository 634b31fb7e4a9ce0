#!/usr/bin/env python3
"""A short overload by the load generator: twice what the server can do.

Ratios of one run on one machine; README's performance section has the long form.
"""
import json
import subprocess
import tempfile

from alignsae_server import BIN, ServerTest, eventually, main


class LoadTest(ServerTest):
    def load(self, *flags):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/report.json"
            subprocess.run([BIN / "alignsae-load", f"--server={self.server.target}",
                            f"--json={path}", *flags],
                           check=True, capture_output=True, timeout=120)
            with open(path) as report:
                return json.load(report)


class OverloadTest(LoadTest):
    flags = ("--kv-slots=8", "--max-queued-sequences=32", "--max-prompts-per-batch=8")

    def rss_kib(self):
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def test_twice_the_capacity_is_refused_quickly_and_the_rest_is_served(self):
        mix = ("--mix=complete=4,swap=2,read=2,inspect=1,tokenize=1,concepts=1", "--clients=4",
               "--max-new-tokens=12", "--deadline-seconds=2")
        capacity = self.load("--concurrency=16", "--seconds=3", *mix)
        self.assertEqual(set(capacity["codes"]), {"OK"})
        before = self.rss_kib()
        offered = 2 * capacity["calls_per_s"]
        over = self.load(f"--rate={offered:.1f}", "--seconds=6", *mix)
        codes = over["codes"]
        # Everything was answered, and refused where it had to be: no hang, no
        # other error.
        self.assertLessEqual(set(codes), {"OK", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"})
        self.assertGreater(codes["RESOURCE_EXHAUSTED"], 0)
        self.assertGreater(codes["OK"], 0)
        # Work was not thrown away: most of what the server can do came out in time. What it can do
        # is what it did before or does after, if others use the machine too.
        after = self.load("--concurrency=16", "--seconds=2", *mix)
        able = min(capacity["goodput_tokens_per_s"], after["goodput_tokens_per_s"])
        self.assertGreater(over["goodput_tokens_per_s"], 0.5 * able)
        self.assertLess(self.rss_kib() - before, 100 << 10)
        self.assertTrue(eventually(lambda: self.server.metric("alignsae_kv_slots_in_use") == 0))

    def test_csv_has_a_line_for_each_call_and_gnuplot_draws_it(self):
        with tempfile.TemporaryDirectory() as folder:
            csv, plot = f"{folder}/calls.csv", f"{folder}/calls.gp"
            report = self.load("--concurrency=2", "--seconds=1", "--mix=read",
                               f"--csv={csv}", f"--plot={plot}")
            with open(csv) as lines:
                rows = lines.read().splitlines()
            self.assertEqual(rows[0], "rpc,code,due_s,latency_ms,first_token_ms,generated_tokens")
            self.assertEqual(len(rows) - 1, sum(report["codes"].values()))
            subprocess.run(["gnuplot", plot], check=True, timeout=60)
            with open(f"{plot}.png", "rb") as image:
                self.assertEqual(image.read(4), b"\x89PNG")

    def test_bad_flags_are_usage_errors(self):
        for flags, words in ((["--mix=nonsense"], "--mix: must be of read, inspect"),
                             (["--plot=x"], "--plot: must not be given without --csv"),
                             (["--concurrency=0"], "--concurrency")):
            done = subprocess.run([BIN / "alignsae-load", f"--server={self.server.target}",
                                   *flags], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(words, done.stderr)


class MixedTest(LoadTest):
    def test_mixed_calls_of_several_clients_all_succeed_below_the_capacity(self):
        # Every RPC but the operators'; a validation waits until nothing else runs, and has a load
        # of its own.
        rpcs = ("read=2,inspect=2,stream=1,swap=2,complete=2,generate=2,sweep=1,model=1,concepts=1,"
                "tokenize=1,detokenize=1,explain=1,watch=1")
        report = self.load("--concurrency=4", "--clients=4", "--seconds=3",
                           "--deadline-seconds=20", f"--mix={rpcs}")
        self.assertEqual(set(report["codes"]), {"OK"})
        self.assertLessEqual({"read", "swap", "complete", "generate", "inspect", "tokenize"},
                             set(report["latency"]))
        self.assertEqual(len(report["clients"]), 4)
        self.assertGreater(report["first_token"]["generate"]["count"], 0)
        self.assertGreater(report["health"]["count"], 10)
        report = self.load("--concurrency=1", "--seconds=1", "--mix=validate")
        self.assertEqual(set(report["codes"]), {"OK"})


if __name__ == "__main__":
    main()
