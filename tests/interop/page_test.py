#!/usr/bin/env python3
"""The page in a real Chromium (Debian's), driven by playwright-core: what it shows is what the
RPCs say, and what it does to the server is seen there. axe-core looks for barriers. Pictures
lie in <build>/interop/page.

ALIGNSAE_PAGE_PICTURES=FOLDER also writes the README's pictures there.
"""
import functools
import gzip
import hashlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import installed
import python_package  # noqa: F401  Before alignsae_server.
from alignsae_server import (BIN, DEMO, SOURCE, Server, ServerTest, common, concept, eventually,
                             generation, model, steering, swap_edit)

CHROMIUM = "/usr/bin/chromium"
PICTURES = installed.PLACE / "page"
NEW_TOKENS = 24  # As the page asks.
# The newest that runs on Debian's Node.js 18.
PLAYWRIGHT = "playwright-core@1.60.0"


@functools.cache
def _tools():
    installed.need(CHROMIUM)
    return installed.node(PLAYWRIGHT, "axe-core")


def _changed(baseline, steered):
    """Per cent of the steered answer's tokens outside the longest common subsequence."""
    first, second = ([token.id for token in arm.tokens if token.piece]
                     for arm in (baseline, steered))
    common_tokens = [0] * (len(second) + 1)
    for token in first:
        row = [0]
        for j, other in enumerate(second):
            row.append(common_tokens[j] + 1 if token == other
                       else max(common_tokens[j + 1], row[j]))
        common_tokens = row
    share = 100 * (1 - common_tokens[-1] / len(second))
    return round(share, 1) if share < 10 else round(share)


def _close(shown, value, digits=2):
    return shown == f"{value:.{digits}f}"


class PageTest(ServerTest):
    flags = ("--http-listen=127.0.0.1:0",)

    @classmethod
    def setUpClass(cls):
        cls.place = _tools()
        PICTURES.mkdir(parents=True, exist_ok=True)
        super().setUpClass()
        cls.question = cls.by_name["birth_city"].example
        cls.prompt = common.Prompt(question=cls.question)

    def play(self, scene, server=None, turns=(), **env):
        """What the scene saw. `turns`: by the name of a turn, what is done in it."""
        server = server or self.server
        scenes = SOURCE / "tests/interop/page_scenes.mjs"
        process = subprocess.Popen(
            ["node", scenes, scene, f"http://127.0.0.1:{server.http_port}/", PICTURES],
            cwd=self.place, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "CHROMIUM": CHROMIUM, "QUESTION": self.question, **env})
        try:
            for line in process.stdout:
                said = json.loads(line)
                if "seen" in said:
                    process.wait(timeout=60)
                    self.assertEqual(process.returncode, 0, said)
                    return said["seen"]
                dict(turns)[said["turn"]]()
                process.stdin.write("go\n")
                process.stdin.flush()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdin.close()
            process.stdout.close()
        raise AssertionError(f"{scene} said nothing")

    def assertQuiet(self, seen):
        """Nothing but this server was asked, the policy held, and nothing failed in it."""
        hosts = {re.sub(r"^(\w+://[^/]*)/.*", r"\1", url) for _, url, _ in seen["requests"]}
        self.assertEqual(hosts, {f"http://127.0.0.1:{self.server.http_port}"})
        self.assertEqual(seen["complaints"], [])

    def swapped(self, source, target, alpha):
        return self.api.steering.Swap(steering.SwapRequest(
            prompt=self.prompt, source=common.ConceptRef(name=source),
            target=common.ConceptRef(name=target), alpha=alpha,
            generation=generation.GenerationConfig(max_new_tokens=NEW_TOKENS)), timeout=60)


class VisitorTest(PageTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seen = cls("test_slots").play("visit")
        cls.inspection = cls.api.concept.InspectSlots(
            concept.InspectSlotsRequest(prompt=cls.prompt), timeout=60)
        if folder := os.environ.get("ALIGNSAE_PAGE_PICTURES"):
            shutil.copy(PICTURES / "explore.png", folder)

    def test_slots(self):
        last = self.inspection.tokens[-1].reading
        rows = self.seen["bars"]
        self.assertEqual([row["name"] for row in rows],
                         [label.name for label in self.inspection.concepts])
        for row, value, probability in zip(rows, last.values, last.probabilities):
            self.assertAlmostEqual(row["value"], value, places=5)
            shown = re.search(r"([\d.]+)\s+([\d.]+) %", row["shown"])
            self.assertTrue(_close(shown[1], value), row)
            self.assertAlmostEqual(float(shown[2]), 100 * probability, delta=0.51)
        self.assertIn("birth city", self.seen["verdict"])
        self.assertIn(f"{100 * last.margin:.0f} %", self.seen["verdict"])

    def test_heat_map(self):
        for row, line in enumerate(self.seen["heat"]):
            for value, token in zip(line["values"], self.inspection.tokens, strict=True):
                self.assertAlmostEqual(value, token.reading.values[row], places=5)

    def test_answers_receipt_and_certificate(self):
        answer = self.swapped("birth_city", "employer", 1)
        baseline, steered = self.seen["answers"]
        self.assertEqual((baseline["title"], steered["title"]),
                         ("Baseline", "Steered to employer"))
        self.assertEqual(baseline["text"], answer.baseline.text)
        self.assertEqual(steered["text"], answer.steered.text)
        self.assertEqual(baseline["shown"].strip(), answer.baseline.text.strip())
        self.assertEqual(baseline["marked"], [])
        self.assertEqual("".join(steered["marked"]).strip(), answer.steered.text.strip())
        effect = answer.steered.receipts[0].effects[0]
        receipt = " ".join(self.seen["receipt"])
        for value in (effect.source_before, effect.source_after, effect.target_before,
                      effect.target_after):
            self.assertIn(f"{value:.2f}", receipt)
        self.assertIn(f"{100 * effect.change_norm / effect.residual_norm:.0f} %", receipt)
        self.assertIn(f"token {effect.position + 1}, in", receipt)
        certificate = self.by_name["employer"].certificate
        words = " ".join(self.seen["certificate"])
        swap = certificate.measured_swap
        for figure in (f"{certificate.cosine:.3f}", f"{certificate.predicted_alpha:.2f}",
                       f"{swap.successes:,} of {swap.tries:,}",
                       f"{swap.rate:.3f}; 95 % interval {swap.low:.3f} to {swap.high:.3f}",
                       f"{swap.wordings} wordings", f"{swap.people} people"):
            self.assertIn(figure, words)

    def test_recommended_range_is_the_measured_one(self):
        listed = self.api.model.ListConcepts(
            model.ListConceptsRequest(include_evaluation=True), timeout=30)
        curve = json.loads(listed.checkpoints[0].evaluation_json)["test"]["swap"]["alpha_curve"]
        best = max(point["by_target"]["employer"] for point in curve)
        good = [point["alpha"] for point in curve
                if point["by_target"]["employer"] >= 0.95 * best]
        self.assertIn(f"Recommended: {min(good):.2f} to {max(good):.2f},", self.seen["hint"])

    def test_slider_changes_both_columns(self):
        answer = self.swapped("birth_city", "employer", 0.1)
        self.assertEqual([column["text"] for column in self.seen["weaker"]],
                         [answer.baseline.text, answer.steered.text])
        self.assertNotEqual(self.seen["weaker"][1]["text"], self.seen["answers"][1]["text"])
        asked = [json.loads(body[5:]) for method, url, body
                 in self.seen["requests"][self.seen["before_slider"]:] if "Generate" in url]
        self.assertEqual(asked[0]["arms"], "ARM_SELECTION_BOTH")
        self.assertEqual([one["interventions"][0]["alpha"] for one in asked], [0.1, 1])

    def test_dose_is_the_sweep(self):
        alphas = [row["alpha"] for row in self.seen["doses"]]
        cells = [event.cell for event in self.api.steering.SweepAlpha(
            steering.SweepAlphaRequest(
                prompt=self.prompt, source=common.ConceptRef(name="birth_city"),
                targets=[common.ConceptRef(name="employer")], alphas=alphas,
                generation=generation.GenerationConfig(max_new_tokens=NEW_TOKENS)), timeout=60)
            if event.WhichOneof("event") == "cell"]
        [baseline] = [cell.result for cell in cells if cell.baseline]
        by_alpha = {cell.alpha: cell.result for cell in cells if not cell.baseline}
        self.assertEqual(len(by_alpha), 10)
        for row in self.seen["doses"]:
            changed, sure, text = row["cells"]
            result = by_alpha[row["alpha"]]
            self.assertEqual(float(changed.split()[0]), _changed(baseline, result))
            self.assertEqual(text, result.text.strip())
            probability = 2.718281828 ** (result.total_logprob / result.generated_token_count)
            self.assertAlmostEqual(float(sure.split()[0]), 100 * probability, delta=0.6)

    def test_matrix_is_all_swaps(self):
        names = list(self.by_name)
        self.assertEqual(set(self.seen["matrix"]),
                         {f"{a}>{b}" for a in names for b in names if a != b})
        for pair in (("birth_city", "major"), ("employer", "university"),
                     ("work_city", "birth_date")):
            self.assertEqual(self.seen["matrix"][">".join(pair)],
                             self.swapped(*pair, 1).steered.text.strip())

    def test_commands_say_what_the_page_says(self):
        baseline, steered = (column["text"] for column in self.seen["answers"])
        commands = {name: text.replace(":50051", f":{self.server.grpc_port}")
                    for name, text in self.seen["commands"].items()}
        answer = json.loads(subprocess.run(["bash", "-c", commands["curl"]], check=True,
                                           capture_output=True, timeout=60).stdout)
        self.assertEqual((answer["baseline"]["text"], answer["steered"]["text"]),
                         (baseline, steered))
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        said = subprocess.run([sys.executable, "-c", commands["Python"]], check=True, text=True,
                              capture_output=True, timeout=60, env={**os.environ, **path})
        self.assertEqual(said.stdout, f"{baseline} -> {steered}\n")
        said = subprocess.run(["bash", "-c", commands["CLI"]], check=True, text=True,
                              capture_output=True, timeout=60,
                              env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"})
        for text in (baseline, steered):
            self.assertIn(text.strip(), said.stdout)

    def test_looks(self):
        self.assertEqual(self.barriers(self.seen), [])
        self.assertLessEqual(self.seen["width"], 360)
        self.assertLessEqual(self.seen["paint_ms"], 1000)
        print(f"first paint {self.seen['paint_ms']} ms, first reading {self.seen['read_ms']} ms",
              file=sys.stderr)
        self.assertQuiet(self.seen)

    @staticmethod
    def barriers(seen):
        return [one for one in seen["axe"] if one["impact"] in ("serious", "critical")]

    def test_keyboard_alone(self):
        seen = self.play("keyboard")
        self.assertIn("question", seen["order"])
        self.assertEqual(seen["answers"][1]["title"], "Steered to employer")
        self.assertEqual(seen["alpha"], "1.05")
        self.assertNotEqual(seen["answers"][1]["text"], "")

    def test_errors_are_sentences(self):
        seen = self.play("failure")
        self.assertRegex(seen["alert"], r"^Prompt: must have at most \d+ tokens, got \d+; nothing is cut\.$")
        self.assertEqual(seen["alerts"], 0)


class FilesTest(PageTest):
    def get(self, path, method="GET", **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={k.replace("_", "-"): v
                                                  for k, v in headers.items()})
        answer = connection.getresponse()
        return answer, answer.read()

    def test_files(self):
        answer, index = self.get("/")
        self.assertEqual((answer.status, answer.headers["content-type"]),
                         (200, "text/html; charset=utf-8"))
        self.assertNotIn(b"<style", index)
        self.assertEqual(re.findall(rb"<script(?![^>]* src=)", index), [])
        policy = answer.headers["content-security-policy"]
        self.assertIn("default-src 'none'; script-src 'self';", policy)
        self.assertNotIn("unsafe", policy)
        files = ["/", *re.findall(r'(?:src|href)="(/[^"]+)"', index.decode())]
        self.assertGreaterEqual(len(files), 4)
        packed = 0
        for path in files:
            plain, body = self.get(path)
            zipped, small = self.get(path, Accept_Encoding="br, gzip;q=0.8")
            self.assertEqual((plain.status, zipped.headers["content-encoding"]), (200, "gzip"))
            self.assertEqual(gzip.decompress(small), body)
            self.assertIn("nosniff", zipped.headers["x-content-type-options"])
            packed += len(small)
        self.assertLessEqual(packed, 250 * 1024)
        print(f"{len(files)} files, {packed} bytes packed", file=sys.stderr)
        self.assertIsNone(self.get("/", Accept_Encoding="gzip;q=0")[0].headers["content-encoding"])
        self.assertEqual(self.get("/", "POST")[0].status, 405)
        self.assertEqual(self.get("/", Host="evil.example")[0].status, 421)
        self.assertEqual(self.get("/assets/none.js")[0].status, 404)


class CancelTest(PageTest):
    """A model of GPT-2 small's shape on one thread: answers take seconds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory(prefix="alignsae-bench-")
        cls.addClassCleanup(folder.cleanup)
        bundle = pathlib.Path(folder.name) / "bundle"
        subprocess.run([BIN / "make_bench_bundle", DEMO, bundle], check=True,
                       capture_output=True, timeout=600)
        cls.slow = Server("--http-listen=127.0.0.1:0", "--threads=1", "--weight-type=f32",
                          bundle=bundle)
        cls.addClassCleanup(cls.slow.close)

    def test_stop_and_a_closed_tab_free_the_slots(self):
        def busy():
            self.assertTrue(eventually(
                lambda: self.slow.metric("alignsae_kv_slots_in_use") > 0))

        def free():
            began = time.monotonic()
            self.assertTrue(eventually(
                lambda: self.slow.metric("alignsae_kv_slots_in_use") == 0, 5))
            waits.append(time.monotonic() - began)

        waits = []
        self.play("cancel", self.slow, {
            "answering": busy, "stopped": free, "sweeping": busy, "swapping": busy,
            "closed": free})
        self.assertEqual(len(waits), 3)
        self.assertLess(max(waits), 1)
        for method in ("Generate", "SweepAlpha", "SwapMatrix"):
            self.assertGreaterEqual(self.slow.metric(
                "alignsae_rpc_requests_total", method=f"SteeringService/{method}",
                code="CANCELLED"), 1, method)


class TokenTest(PageTest):
    def test_who_asks_is_told_by_a_token_that_is_kept_nowhere(self):
        folder = tempfile.TemporaryDirectory(prefix="alignsae-page-policy-")
        self.addCleanup(folder.cleanup)
        place, token = pathlib.Path(folder.name), "token-of-vera-0123456789"
        (place / "policy.json").write_text(json.dumps({
            "format_version": 1,
            "groups": [{"name": "visitors", "rpcs": ["*"], "steer": {
                "concepts": ["employer"], "sources": ["*"], "modes": ["SWAP"]}}],
            "principals": [{"name": "vera", "group": "visitors", "token": True}]}))
        (place / "tokens").write_text(f"vera {hashlib.sha256(token.encode()).hexdigest()}\n")
        server = Server(*self.flags, f"--policy={place}/policy.json", f"--tokens={place}/tokens")
        self.addCleanup(server.close)
        seen = self.play("token", server, TOKEN=token)
        self.assertIn("The server wants to know who asks.", seen["alert"])
        self.assertEqual(seen["fields"], 0)
        self.assertEqual(seen["answers"][1]["title"], "Steered to employer")
        self.assertIn("Who asks here may not do that.", seen["refused"])
        self.assertIn('-H "Authorization: Bearer $ALIGNSAE_TOKEN"', seen["copy"])
        self.assertEqual(VisitorTest.barriers(seen), [])
        everywhere = [seen["address"], seen["stored"], seen["copy"], json.dumps(seen["requests"]),
                      pathlib.Path(server.log_path).read_text()]
        self.assertFalse([text for text in everywhere if token in text])


class RestartTest(PageTest):
    def test_the_page_finds_the_server_again(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        servers = [Server(f"--http-listen=127.0.0.1:{port}")]

        def kill():
            servers[0].process.kill()
            servers[0].process.wait()

        def start():
            servers.append(Server(f"--http-listen=127.0.0.1:{port}"))

        try:
            seen = self.play("restart", servers[0], {"there": kill, "lost": start})
        finally:
            for server in servers[1:]:
                server.close()
            servers[0].directory.cleanup()
        self.assertIn("The server does not answer.", seen["alert"])
        answer = self.swapped("birth_city", "employer", 1)
        self.assertEqual([column["text"] for column in seen["answers"]],
                         [answer.baseline.text, answer.steered.text])
        self.assertEqual(seen["alerts"], 0)


class WatcherTest(PageTest):
    def test_live_counts_drift_and_swaps(self):
        asked = {"birth_city": 7, "employer": 4, "major": 1}

        def traffic():
            prompts = [self.example(name) for name, times in asked.items()
                       for _ in range(times)]
            self.api.concept.ReadConcepts(
                concept.ReadConceptsRequest(prompts=prompts), timeout=60)
            for target in ("major", "work_city"):
                self.api.steering.Complete(steering.CompleteRequest(
                    prompt=self.example(), interventions=[swap_edit("birth_city", target)],
                    generation=generation.GenerationConfig(max_new_tokens=4)), timeout=60)

        def more():
            names = list(self.by_name)
            for i in range(40 if "ALIGNSAE_PAGE_PICTURES" in os.environ else 6):
                name, other = names[i * i % 6], names[(i * i + 1 + i % 5) % 6]
                self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
                    prompts=[self.example(name) for _ in range(3 + i * 7 % 6)]), timeout=60)
                if i % 3 == 0:
                    self.api.steering.Complete(steering.CompleteRequest(
                        prompt=self.example(name), interventions=[swap_edit(name, other)],
                        generation=generation.GenerationConfig(max_new_tokens=4)), timeout=60)
                time.sleep(0.7)

        total = sum(asked.values()) + 2
        seen = self.play("watch", None, {"watching": traffic, "seen": more},
                         PROMPTS=str(total))
        look = next(iter(self.api.concept.WatchSlots(
            concept.WatchSlotsRequest(), timeout=30)))
        self.assertEqual([row["name"] for row in seen["live"]],
                         [row.name for row in look.total.concepts])
        rows = {row["name"]: row for row in seen["live"]}
        tops = {**asked, "birth_city": asked["birth_city"] + 2}
        for name, row in rows.items():
            self.assertEqual(row["top"], tops.get(name, 0), name)
            self.assertEqual(row["count"], total)
        self.assertEqual(rows["birth_city"]["cells"][4:], ["2", "0"])
        self.assertEqual(rows["major"]["cells"][4:], ["0", "1"])
        # Prompts, those of them unbound and outside, edits, prompts since the start.
        self.assertEqual(seen["tiles"], [str(total), "0 %", "0 %", "2", str(total)])
        self.assertRegex(seen["drift"], rf"PSI, of {total} prompts; 100 are enough")
        swaps = sorted(re.sub(r"\s+", " ", text) for text in seen["swaps"])
        self.assertEqual(swaps, ["birth city → to major", "birth city → to work city"])
        for share in look.reference:
            shown = [row for row in seen["reference"]
                     if row.startswith(share.name.replace("_", " ").replace("none", "none bound"))]
            self.assertRegex(shown[0], rf"\b{100 * share.share:.0f}")
        self.assertEqual(VisitorTest.barriers(seen), [])
        self.assertLessEqual(seen["width"], 360)
        self.assertQuiet(seen)
        if folder := os.environ.get("ALIGNSAE_PAGE_PICTURES"):
            shutil.copy(PICTURES / "watch.png", folder)


if __name__ == "__main__":
    unittest.main(verbosity=2)
