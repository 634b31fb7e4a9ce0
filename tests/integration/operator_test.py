#!/usr/bin/env python3
"""What operators do: checkpoints come and go and models are replaced while others call,
by name alone; what is bad, or too large, leaves what serves as it is.

    operator_test.py [--reloads N]
"""
import collections
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
# pylint: disable=wrong-import-position
import grpc  # noqa: E402
from alignsae_server import (BIN, DEMO, Server, common, concept, eventually,  # noqa: E402
                             generation, main, model, operators, steering)
from bundle_versions import ALPHAS, TEMPLATES, exchange, write_version  # noqa: E402

RELOADS = 5
CALLERS = 32
STATES = operators.GenerationState


def resident_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class OperatorTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="alignsae-shelf-")
        self.addCleanup(directory.cleanup)
        self.shelf = pathlib.Path(directory.name) / "shelf"
        self.shelf.mkdir()
        for version in ("1", "2"):
            write_version(self.shelf / f"demo-{version}", version)

    def serve(self, *flags, bundle=None):
        server = Server("--operator-listen=127.0.0.1:0", f"--bundles-dir={self.shelf}", *flags,
                        bundle=bundle or self.shelf / "demo-1")
        self.addCleanup(server.close)
        self.server = server
        channel, self.operator = server.operator()
        self.addCleanup(channel.close)
        self.api = server.api()
        self.addCleanup(self.api.close)
        rows = self.api.model.ListConcepts(model.ListConceptsRequest(), timeout=10)
        self.question = common.Prompt(question=rows.checkpoints[0].concepts[0].example)
        return server

    def states(self):
        answer = self.operator.ListCheckpoints(operators.ListCheckpointsRequest(), timeout=10)
        return [(row.generation_id, STATES.Name(row.state).removeprefix("GENERATION_STATE_"))
                for row in answer.generations]

    def read(self, checkpoint=""):
        return self.api.concept.ReadConcepts(
            concept.ReadConceptsRequest(prompts=[self.question], checkpoint=checkpoint),
            timeout=30)

    def swap(self, api=None):
        return (api or self.api).steering.Swap(steering.SwapRequest(
            prompt=self.question, target=common.ConceptRef(name="employer"),
            generation=generation.GenerationConfig(max_new_tokens=4)), timeout=60)

    def reload(self, bundle=""):
        return self.operator.ReloadModel(operators.ReloadModelRequest(bundle=bundle),
                                         timeout=120).generation

    def assertRefused(self, code, sentence, call, request):
        with self.assertRaises(grpc.RpcError) as caught:
            call(request, timeout=60)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        self.assertIn(sentence, caught.exception.details())
        self.assertNotIn(str(self.shelf.parent), caught.exception.details())

    def test_checkpoints_come_and_go(self):
        self.serve()
        self.assertEqual(self.states(), [(1, "READY")])
        loaded = self.operator.LoadCheckpoint(operators.LoadCheckpointRequest(
            bundle="demo-2", name="next"), timeout=60)
        self.assertTrue(loaded.request_id)
        self.assertEqual([(row.name, row.version, row.generation_id)
                          for row in loaded.generation.checkpoints],
                         [("main", "1", 1), ("next", "2", 2)])
        self.assertLess(abs(loaded.generation.state_time.ToSeconds() - time.time()), 60)
        by_name = self.read("next")
        self.assertEqual((by_name.info.checkpoint, by_name.info.generation_id), ("next", 2))
        by_default = self.read()
        self.assertEqual(by_default.info.checkpoint, "main")
        self.assertEqual(by_name.readings, by_default.readings)  # The same SAE twice.
        told = self.api.model.GetModel(model.GetModelRequest(), timeout=10)
        self.assertEqual([(row.name, row.version, row.generation_id) for row in told.checkpoints],
                         [("main", "1", 1), ("next", "2", 2)])
        # In the place of the default one, which keeps its name and its rank.
        replaced = self.operator.LoadCheckpoint(operators.LoadCheckpointRequest(
            bundle="demo-2", sae="main"), timeout=60).generation
        self.assertEqual([(row.name, row.version) for row in replaced.checkpoints],
                         [("main", "2"), ("next", "2")])
        self.assertEqual(self.swap().steered.receipts[0].alpha, ALPHAS["2"])
        gone = self.operator.UnloadCheckpoint(operators.UnloadCheckpointRequest(
            checkpoint="next"), timeout=60).generation
        self.assertEqual([row.name for row in gone.checkpoints], ["main"])
        self.assertRefused(grpc.StatusCode.NOT_FOUND, "checkpoint", self.api.concept.ReadConcepts,
                           concept.ReadConceptsRequest(prompts=[self.question],
                                                       checkpoint="next"))
        self.assertTrue(eventually(lambda: self.states() == [
            (1, "GONE"), (2, "GONE"), (3, "GONE"), (4, "READY")]), self.states())
        metrics = self.server.http("/metrics")[1]
        self.assertIn('alignsae_generation_state_seconds{generation="4",model="default",'
                      'state="READY"}', metrics)
        self.assertEqual(metrics.count("alignsae_generation_state_seconds{"), 1)
        self.assertEqual(self.server.metric("alignsae_model_loads_total", result="ok"), 4)
        for state in ("LOADING", "READY", "DRAINING", "GONE"):
            self.assertIn(f"event=generation_state model=default generation=1 state={state}",
                          self.server.log())

    def test_what_cannot_be_loaded_is_said_and_changes_nothing(self):
        self.serve()
        load, unload, reload = (self.operator.LoadCheckpoint, self.operator.UnloadCheckpoint,
                                self.operator.ReloadModel)
        code = grpc.StatusCode
        (self.shelf.parent / "outside").mkdir()
        (self.shelf / "leads-out").symlink_to(self.shelf.parent / "outside")
        for name in ("../outside", "/etc", "", ".", "..", ".hidden", "a/b", "x" * 129):
            self.assertRefused(code.INVALID_ARGUMENT, "bundle: must be a name of letters", load,
                               operators.LoadCheckpointRequest(bundle=name))
        for name in ("none", "leads-out"):
            self.assertRefused(code.NOT_FOUND, f'got "{name}"; --bundles-dir has none', reload,
                               operators.ReloadModelRequest(bundle=name))
        self.assertRefused(code.NOT_FOUND, 'demo-2: sae: must be one of main, got "other"', load,
                           operators.LoadCheckpointRequest(bundle="demo-2", sae="other"))
        self.assertRefused(code.INVALID_ARGUMENT, "name: must be", load,
                           operators.LoadCheckpointRequest(bundle="demo-2", name="a\nb"))
        self.assertRefused(code.NOT_FOUND, 'model: must be one that is served, got "other"', load,
                           operators.LoadCheckpointRequest(model="other", bundle="demo-2"))
        self.assertRefused(code.NOT_FOUND, 'checkpoint: must be one that is loaded, got "other"',
                           unload, operators.UnloadCheckpointRequest(checkpoint="other"))
        self.assertRefused(code.FAILED_PRECONDITION, "checkpoint: must not be the default",
                           unload, operators.UnloadCheckpointRequest(checkpoint="main"))

        def flip(name):
            def damage(path):
                data = bytearray((path / name).read_bytes())
                data[-100] ^= 1
                (path / name).write_bytes(data)
            return damage
        write_version(self.shelf / "torn", "3", flip("gpt2/model.safetensors"))
        self.assertRefused(code.FAILED_PRECONDITION, "torn/gpt2/model.safetensors: sha256: must be", reload,
                           operators.ReloadModelRequest(bundle="torn"))
        write_version(self.shelf / "torn-sae", "3", flip("sae/main/sae_weights.safetensors"))
        self.assertRefused(code.FAILED_PRECONDITION, "torn-sae/sae/main/sae_weights.safetensors", load,
                           operators.LoadCheckpointRequest(bundle="torn-sae"))
        # Of the damaged model, the checkpoint is whole and is for the very model.
        loaded = load(operators.LoadCheckpointRequest(bundle="torn", name="whole"), timeout=60)
        self.assertEqual([row.name for row in loaded.generation.checkpoints], ["main", "whole"])
        self.assertEqual(self.read().info.generation_id, 2)
        failed = [row for row in self.operator.ListCheckpoints(
            operators.ListCheckpointsRequest(), timeout=10).generations if row.error]
        self.assertEqual(len(failed), 2)
        self.assertIn("sha256", failed[0].error)
        self.assertNotIn(str(self.shelf.parent), failed[0].error)
        self.assertEqual(self.server.metric("alignsae_model_loads_total", result="failed"), 2)

    def test_a_load_without_the_memory_is_refused_before_work(self):
        def grow(path):
            """A file of 8 GiB, of which nothing is on the disk: headers alone are read."""
            header = json.dumps({"wte.weight": {"dtype": "F32", "shape": [1 << 31],
                                                "data_offsets": [0, 1 << 33]}}).encode()
            with open(path / "gpt2/model.safetensors", "wb") as file:
                file.write(len(header).to_bytes(8, "little") + header)
                file.truncate(8 + len(header) + (1 << 33))
        write_version(self.shelf / "huge", "3", grow)
        self.serve("--memory-budget-mib=2048")
        self.assertRefused(grpc.StatusCode.RESOURCE_EXHAUSTED, "memory: must have ",
                           self.operator.ReloadModel,
                           operators.ReloadModelRequest(bundle="huge"))
        self.assertEqual(self.states(), [(1, "READY")])
        self.assertNotIn("generation=2", self.server.log())
        self.assertEqual(self.server.metric("alignsae_model_loads_total", result="refused"), 1)

    def test_a_start_without_the_memory_is_refused(self):
        done = subprocess.run([BIN / "alignsae-server", f"--model={DEMO}", "--listen=127.0.0.1:0",
                               "--admin-listen=127.0.0.1:0", "--memory-budget-mib=16"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 78)
        self.assertRegex(done.stderr, r"memory: must have \d+ MiB free for this load")
        self.assertNotIn("model_loaded", done.stderr)

    def test_a_shadow_is_compared_and_a_canary_answers_its_part(self):
        self.serve()
        self.operator.LoadCheckpoint(operators.LoadCheckpointRequest(
            bundle="demo-2", name="next"), timeout=60)

        def rollout(**fields):
            return self.operator.SetRollout(operators.SetRolloutRequest(
                rollout=operators.Rollout(**fields)), timeout=30).generation.rollout
        self.assertEqual(rollout(shadow="next").shadow, "next")
        for _ in range(3):
            self.assertEqual(self.read().info.checkpoint, "main")
        labels = {"model": "default", "checkpoint": "next"}
        self.assertTrue(eventually(lambda: self.server.metric(
            "alignsae_shadow_readings_total", **labels) == 3))
        self.assertEqual(self.server.metric("alignsae_shadow_disagreement_total", **labels), 0)
        rollout(canary="next", canary_fraction=0.5)
        answered = collections.Counter()
        for i in range(40):
            metadata = [("x-request-id", f"request-{i}")]
            one, again = (self.api.concept.ReadConcepts(
                concept.ReadConceptsRequest(prompts=[self.question]), timeout=30,
                metadata=metadata).info.checkpoint for _ in range(2))
            self.assertEqual(one, again)
            answered[one] += 1
        self.assertEqual(set(answered), {"main", "next"})
        self.assertGreater(min(answered.values()), 8)
        self.assertEqual(self.read("main").info.checkpoint, "main")
        rollout(canary="next", canary_fraction=1)
        swapped = self.swap()
        self.assertEqual((swapped.info.checkpoint, swapped.steered.receipts[0].checkpoint),
                         ("next", "next"))
        [row] = [row for row in self.operator.ListCheckpoints(
            operators.ListCheckpointsRequest(), timeout=10).generations
                 if row.state == STATES.GENERATION_STATE_READY]
        self.assertEqual(row.rollout.canary, "next")
        self.assertRefused(grpc.StatusCode.NOT_FOUND, "rollout.canary: must be a checkpoint",
                           self.operator.SetRollout, operators.SetRolloutRequest(
                               rollout=operators.Rollout(canary="other")))
        self.assertFalse(rollout().canary)
        self.assertEqual(self.swap().info.checkpoint, "main")

    def test_a_checkpoint_at_the_wrong_site_is_refused(self):
        def move(path):
            config = json.loads((path / "sae/main/cfg.json").read_text())
            self.assertEqual(config["metadata"]["hook_name"], "blocks.0.hook_resid_mid")
            config["metadata"]["hook_name"] = "blocks.1.hook_resid_mid"
            text = json.dumps(config)
            (path / "sae/main/cfg.json").write_text(text)
            manifest = json.loads((path / "bundle.json").read_text())
            manifest["saes"][0]["hook"]["layer"] = 1
            manifest["files"]["sae/main/cfg.json"] = hashlib.sha256(text.encode()).hexdigest()
            (path / "bundle.json").write_text(json.dumps(manifest))
        write_version(self.shelf / "moved", "3", move)
        self.serve()
        self.assertNotIn("no stored prompts", self.server.log())
        self.assertRefused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "doctor.json: hook: must be resid_mid[0], where the stored prompts read as recorded",
            self.operator.LoadCheckpoint, operators.LoadCheckpointRequest(bundle="moved"))
        self.assertEqual(self.read().info.generation_id, 1)

    def test_a_port_for_operators_is_for_operators_alone(self):
        self.serve()
        with self.assertRaises(grpc.RpcError) as caught:
            channel = grpc.insecure_channel(self.server.target)
            self.addCleanup(channel.close)
            type(self.operator)(channel).ListCheckpoints(operators.ListCheckpointsRequest(),
                                                         timeout=10)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
        done = subprocess.run([BIN / "alignsae-server", f"--model={DEMO}",
                               "--operator-listen=0.0.0.0:0"], capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 78)
        self.assertIn("--operator-listen: must be a loopback address without --tls-client-ca",
                      done.stderr)

    def test_reloads_under_load(self):
        server = self.serve()
        errors, seen, stop = [], collections.Counter(), threading.Event()
        versions = {1: "1"}  # By generation.

        def call_on():
            api = server.api()
            while not stop.is_set():
                try:
                    answer = self.swap(api)
                except grpc.RpcError as error:
                    errors.append((error.code(), error.details()))
                    continue
                [receipt] = answer.steered.receipts
                seen[answer.info.generation_id, receipt.generation_id, receipt.alpha,
                     len(answer.prompt_token_ids)] += 1
            api.close()

        lengths = {version: len(self.api.model.Tokenize(model.TokenizeRequest(
            text=text.format(question=self.question.question))).tokens)
                   for version, text in TEMPLATES.items()}
        self.assertNotEqual(lengths["1"], lengths["2"])
        callers = [threading.Thread(target=call_on) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        settled = 0
        for turn in range(RELOADS + 2):
            # Two generations have been in memory at once, and each has used its KV memory.
            if 2 <= turn <= 10:
                settled = max(settled, resident_kib(server.process.pid))
            version = "21"[turn % 2]
            new = self.reload(f"demo-{version}")
            self.assertEqual((new.version, new.generation_id), (version, turn + 2))
            versions[new.generation_id] = version
            before = sum(seen.values())
            self.assertTrue(eventually(lambda: sum(seen.values()) > before + CALLERS, 60))
        stop.set()
        for caller in callers:
            caller.join()
        self.assertEqual(errors, [])
        for ran_on, receipt_of, alpha, length in seen:
            self.assertEqual(receipt_of, ran_on)
            self.assertEqual(alpha, ALPHAS[versions[ran_on]])
            self.assertEqual(length, lengths[versions[ran_on]])
        self.assertEqual({key[0] for key in seen}, set(versions))
        last = RELOADS + 3
        self.assertTrue(eventually(lambda: self.states()[-1] == (last, "READY") and
                                   all(state == "GONE" for _, state in self.states()[:-1])))
        self.assertEqual(server.metric("alignsae_kv_slots"), 64)
        self.assertEqual(server.metric("alignsae_queue_depth"), 0)
        back = eventually(lambda: resident_kib(server.process.pid) <= 1.02 * settled, 30)
        print(f"{RELOADS} reloads, {sum(seen.values())} answers; resident KiB: {settled} before, "
              f"{resident_kib(server.process.pid)} after", file=sys.stderr)
        self.assertTrue(back)

    def test_watch_takes_what_is_put_in_the_place(self):
        served = self.shelf / "demo"
        write_version(served, "1")
        self.serve("--watch", bundle=served)
        exchange(served, self.shelf / "demo-2")
        self.assertTrue(eventually(lambda: self.read().info.generation_id == 2))
        told = self.api.model.GetModel(model.GetModelRequest(), timeout=10)
        self.assertEqual(told.model.version, "2")
        self.assertEqual(told.model.bundle_sha256,
                         hashlib.sha256((served / "bundle.json").read_bytes()).hexdigest())
        write_version(self.shelf / "bad", "3", lambda path: (path / "gpt2/vocab.json").unlink())
        exchange(served, self.shelf / "bad")
        self.assertTrue(eventually(lambda: "event=reload_failed" in self.server.log()))
        self.assertIn("model/gpt2/vocab.json", self.server.log())
        self.assertEqual(self.read().info.generation_id, 2)
        time.sleep(2.2)  # It is not tried again and again.
        self.assertEqual(self.server.log().count("event=reload_failed"), 1)
        write_version(self.shelf / "good", "4")
        exchange(served, self.shelf / "good")
        self.assertTrue(eventually(lambda: self.api.model.GetModel(
            model.GetModelRequest(), timeout=10).model.version == "4"))

    def test_killed_while_it_loads_it_serves_what_is_on_disk(self):
        served = self.shelf / "demo"
        write_version(served, "1")
        self.serve("--watch", bundle=served)
        exchange(served, self.shelf / "demo-2")
        # Before it looks, while it reads, after it serves: it looks once a second.
        for delay in (0.9, 1.05, 1.2):
            time.sleep(delay)
            self.server.process.kill()
            self.server.process.wait()
            self.serve("--watch", bundle=served)
            told = self.api.model.GetModel(model.GetModelRequest(), timeout=10)
            self.assertEqual(told.model.bundle_sha256,
                             hashlib.sha256((served / "bundle.json").read_bytes()).hexdigest())
            self.assertEqual(self.swap().steered.receipts[0].alpha, ALPHAS[told.model.version])
            exchange(served, self.shelf / "demo-2")

    def test_what_is_loaded_beside_outlives_a_reload(self):
        self.serve()
        shutil.copytree(DEMO / "sae/main", self.shelf / "alone")
        self.operator.LoadCheckpoint(operators.LoadCheckpointRequest(bundle="alone"), timeout=60)
        self.operator.LoadCheckpoint(operators.LoadCheckpointRequest(bundle="demo-2"), timeout=60)
        reloaded = self.reload()
        # What the bundle has comes from the bundle.
        self.assertEqual([(row.name, row.version, row.generation_id)
                          for row in reloaded.checkpoints],
                         [("main", "1", 4), ("alone", "", 4)])
        self.assertEqual(self.read("alone").info.checkpoint, "alone")

    def test_several_models_by_name(self):
        self.serve("--models=demo-2")

        def swap(name):
            return self.api.steering.Swap(steering.SwapRequest(
                prompt=self.question, target=common.ConceptRef(name="employer"), model=name,
                generation=generation.GenerationConfig(max_new_tokens=4)), timeout=60)
        told = self.api.model.GetModel(model.GetModelRequest(), timeout=10)
        self.assertEqual(list(told.served_models), ["demo", "demo-2"])
        for name, answers, alpha in (("", "demo", "1"), ("demo", "demo", "1"),
                                     ("demo-2", "demo-2", "2")):
            answer = swap(name)
            self.assertEqual((answer.info.model, answer.steered.receipts[0].alpha),
                             (answers, ALPHAS[alpha]))
        self.assertRefused(grpc.StatusCode.NOT_FOUND,
                           'model: must be one that is loaded, got "none"',
                           self.api.model.GetModel, model.GetModelRequest(model="none"))
        # Each has its generations.
        reloaded = self.operator.ReloadModel(operators.ReloadModelRequest(
            model="demo-2", bundle="demo-1"), timeout=60).generation
        self.assertEqual((reloaded.model, reloaded.generation_id), ("demo-2", 2))
        self.assertEqual(swap("demo-2").steered.receipts[0].alpha, ALPHAS["1"])
        self.assertEqual(swap("").info.generation_id, 1)
        added = self.operator.ReloadModel(operators.ReloadModelRequest(
            model="third", bundle="demo-2"), timeout=60).generation
        self.assertEqual((added.model, added.generation_id), ("third", 1))
        self.assertEqual(swap("third").steered.receipts[0].alpha, ALPHAS["2"])
        for name in ("default", "demo-2", "third"):
            self.assertEqual(self.server.metric("alignsae_model_queue_depth", model=name), 0)
        read = self.api.concept.ReadConcepts(concept.ReadConceptsRequest(
            prompts=[self.question], model="third"), timeout=30)
        self.assertEqual(read.info.model, "third")
        stream = self.api.steering.Generate(steering.GenerateRequest(
            prompt=self.question, model="demo-2"), timeout=30)
        self.assertEqual(next(stream).started.info.model, "demo-2")
        gone = self.operator.UnloadModel(operators.UnloadModelRequest(model="third"),
                                         timeout=30).generation
        self.assertEqual((gone.model, gone.generation_id), ("third", 1))
        self.assertIn(gone.state, (STATES.GENERATION_STATE_DRAINING, STATES.GENERATION_STATE_GONE))
        self.assertRefused(grpc.StatusCode.NOT_FOUND, 'model: must be one that is loaded, got "third"',
                           self.api.model.GetModel, model.GetModelRequest(model="third"))
        self.assertRefused(grpc.StatusCode.FAILED_PRECONDITION, "model: must not be the default",
                           self.operator.UnloadModel, operators.UnloadModelRequest(model="demo"))

    def test_the_command_line(self):
        self.serve()

        def alignsae(*args, code=0):
            done = subprocess.run(
                [BIN / "alignsae", *args, f"--operator=127.0.0.1:{self.server.operator_port}"],
                capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            return done.stdout + done.stderr
        self.assertIn("READY", alignsae("checkpoints"))
        self.assertIn("main 1 (1), other 2 (2)", alignsae("load", "demo-2", "--name=other"))
        self.assertIn("other 2 (2) [shadow]", alignsae("rollout", "--shadow=other"))
        self.assertIn("[canary 0.1]", alignsae("rollout", "--canary=other", "--fraction=0.1"))
        self.assertNotIn("[", alignsae("rollout"))
        self.assertIn("main 1 (1)", alignsae("unload", "other"))
        self.assertIn("model: must not be the default", alignsae("unload-model", "demo", code=78))
        self.assertIn("main 2 (4)", alignsae("reload", "demo-2"))
        self.assertIn("checkpoint: must not be the default", alignsae("unload", "main", code=78))
        self.assertIn('"generations"', alignsae("checkpoints", "--json"))


if __name__ == "__main__":
    if "--reloads" in sys.argv:
        at = sys.argv.index("--reloads")
        RELOADS = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    main()
