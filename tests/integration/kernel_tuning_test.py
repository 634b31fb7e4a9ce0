#!/usr/bin/env python3
"""--kernel-tuning: measured at the first start and found at the next, told by the log and by
GetModel; off: what is built in."""
import pathlib
import re
import tempfile
import unittest

from alignsae_server import Server, main, model


class KernelTuningTest(unittest.TestCase):
    def start(self, cache, *flags):
        """What the server says of its kernels: (shapes measured, of these not to be kept, found,
        sentences)."""
        server = Server(f"--cache-dir={cache}", *flags)
        self.addCleanup(server.close)
        api = server.api()
        self.addCleanup(api.close)
        told = list(api.model.GetModel(model.GetModelRequest(), timeout=10).model.kernels)
        logged = re.findall(r'event=kernels .*what="([^"]+)"', server.log())
        self.assertEqual(logged, told)
        [numbers] = re.findall(r"event=model_loaded .*kernels_measured=(\d+) "
                               r"kernels_unsteady=(\d+) kernels_cached=(\d+)", server.log())
        return *map(int, numbers), told

    def test_measured_once_and_not_at_all_when_off(self):
        with tempfile.TemporaryDirectory(prefix="alignsae-tuning-") as folder:
            measured, unsteady, cached, told = self.start(folder)
            self.assertEqual((measured, cached), (len(told), 0))
            self.assertTrue(all(line.endswith("(measured)") for line in told), told)
            if pathlib.Path(folder, "kernel-plans").exists():  # Else nothing could be kept.
                again, _, found, told = self.start(folder)
                self.assertEqual((again, found), (unsteady, measured - unsteady))
            measured, unsteady, cached, told = self.start(folder, "--kernel-tuning=off")
            self.assertEqual((measured, unsteady, cached), (0, 0, 0))
            self.assertTrue(all(line.endswith("(as built in)") for line in told), told)


if __name__ == "__main__":
    main()
