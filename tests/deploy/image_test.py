#!/usr/bin/env python3
"""The image's file tree, made without a container engine by the script that the Dockerfile runs:
the server starts in it alone, answers a readout, and finds every library there."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import yaml
from alignsae_server import BIN, DEMO, SOURCE, eventually

MAKE = SOURCE / "docker/make_root.sh"
LIMIT_MIB = 560
USER = 65532


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="alignsae-image-")
        cls.addClassCleanup(cls.directory.cleanup)
        os.chmod(cls.directory.name, 0o755)
        cls.root = pathlib.Path(cls.directory.name) / "root"
        done = subprocess.run([MAKE, BIN, DEMO, cls.root], capture_output=True, text=True,
                              timeout=300, check=False)
        print(done.stdout, done.stderr, file=sys.stderr, flush=True)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.files = [line.split("\t") for line in
                     (cls.root / "usr/share/alignsae/files.txt").read_text().splitlines()]
        cls.dockerfile = (SOURCE / "docker/Dockerfile").read_text()

    def inside(self, *words):
        """A command that runs in the tree, as the image's user, with nothing of outside but what
        an engine mounts."""
        return ["unshare", "--mount", "sh", "-c",
                f"cd {self.root} && mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs dev && "
                "touch dev/null && mount --bind /dev/null dev/null && mount --rbind /proc proc && "
                f"exec chroot --userspec={USER}:{USER} {self.root} \"$@\"", "sh", *words]

    def test_its_size(self):
        size = sum(path.lstat().st_size for path in self.root.rglob("*")) / (1 << 20)
        print(f"{size:.0f} MiB unpacked", file=sys.stderr, flush=True)
        self.assertLess(size, LIMIT_MIB)

    def test_every_file_is_listed_and_every_library_has_its_package(self):
        there = {"/" + str(path.relative_to(self.root)): path.stat().st_size
                 for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()}
        # A link of a folder (/lib) shows its files twice.
        there = {path: size for path, size in there.items()
                 if not path.startswith(("/lib/", "/lib64/"))}
        del there["/usr/share/alignsae/files.txt"]
        self.assertEqual({path: int(size) for size, path, _ in self.files}, there)
        owners = {path: owner for _, path, owner in self.files}
        for path, owner in owners.items():
            if "/lib" in path:
                self.assertRegex(owner, r"^[a-z0-9][a-z0-9.+-]+=\S+$", path)
        packages = {owner.split("=")[0] for owner in owners.values() if owner != "-"}
        self.assertIn("libtorch1.13", packages)
        self.assertNotIn("bash", packages)
        for package in packages:
            self.assertIn(f"/usr/share/doc/{package}/copyright", owners)

    def test_the_bill_of_materials_has_every_package(self):
        bill = json.loads((self.root / "usr/share/alignsae/sbom.spdx.json").read_text())
        self.assertEqual(bill["spdxVersion"], "SPDX-2.3")
        own, *packages = bill["packages"]
        told = subprocess.run([BIN / "alignsae-server", "--version"], capture_output=True,
                              text=True, check=True, timeout=60).stdout.split()[-1]
        self.assertEqual((own["name"], own["versionInfo"]), ("alignsae-server", told))
        self.assertEqual({f"{package['name']}={package['versionInfo']}" for package in packages},
                         {owner for _, _, owner in self.files if owner != "-"})
        for package in packages:
            [reference] = package["externalRefs"]
            self.assertRegex(reference["referenceLocator"], r"^pkg:deb/debian/[^@]+@\S+\?arch=")
        ids = [package["SPDXID"] for package in bill["packages"]]
        self.assertEqual(len(set(ids)), len(ids))
        for each in ids:
            self.assertRegex(each, r"^SPDXRef-[A-Za-z0-9.-]+$")
        related = {link["relatedSpdxElement"] for link in bill["relationships"]}
        self.assertEqual(related, set(ids))
        self.assertRegex(bill["creationInfo"]["created"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    @unittest.skipUnless(os.geteuid() == 0, "chroot needs root")
    def test_the_server_reads_a_concept_in_it_and_needs_nothing_else(self):
        with subprocess.Popen(
                self.inside("/usr/local/bin/alignsae-server", "--listen=127.0.0.1:0",
                            "--admin-listen=127.0.0.1:0", "--port-file=/tmp/ports",
                            "--lame-duck-seconds=0", "--threads=1"),
                env={"ALIGNSAE_MODEL": "/models/bundle", "OMP_WAIT_POLICY": "PASSIVE"},
                stderr=subprocess.PIPE, text=True) as server:
            self.addCleanup(lambda: server.poll() is None and server.kill())
            ports = {}
            for line in server.stderr:
                found = dict(re.findall(r"(grpc_port|admin_port)=(\d+)", line))
                if found:
                    ports = found
                    break
            self.assertTrue(ports, "it did not become ready")
            with urllib.request.urlopen(f"http://127.0.0.1:{ports['admin_port']}/readyz",
                                        timeout=5) as answer:
                self.assertEqual(answer.status, 200)
            read = subprocess.run(
                self.inside("/usr/local/bin/alignsae", f"--server=127.0.0.1:{ports['grpc_port']}",
                            "read", "--json", "Where was Beth Roach born?"),
                capture_output=True, text=True, timeout=60, check=False, env={})
            self.assertEqual(read.returncode, 0, read.stderr)
            self.assertIn("birth_city", read.stdout)
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
            self.assertIn(f"\nUid:\t{USER}\t", status)
            # All that is mapped, what was opened with dlopen too, is of the tree.
            mapped = {line.split(maxsplit=5)[5].strip()
                      for line in pathlib.Path(f"/proc/{server.pid}/maps").read_text().splitlines()
                      if ".so" in line}
            listed = {path for _, path, _ in self.files}
            outside = {path for path in mapped
                       if re.sub(rf"^{re.escape(str(self.root))}", "", path) not in listed}
            self.assertEqual(outside, set())
            self.assertGreater(len(mapped), 100)
            # What the tree's health check says.
            check = json.loads(re.search(r"CMD (\[.*\])", self.dockerfile)[1])
            check[1] = f"--server=127.0.0.1:{ports['grpc_port']}"
            done = subprocess.run(self.inside(*check), capture_output=True, timeout=60, env={})
            self.assertEqual(done.returncode, 0, done.stderr)
            server.send_signal(signal.SIGTERM)
            server.stderr.read()
            self.assertEqual(server.wait(timeout=30), 0)
            self.assertNotEqual(subprocess.run(self.inside(*check), capture_output=True,
                                               timeout=60, env={}).returncode, 0)

    def test_nothing_in_it_can_be_written_by_its_user_but_tmp(self):
        for path in self.root.rglob("*"):
            if not path.is_symlink() and path != self.root / "tmp":
                self.assertFalse(path.stat().st_mode & 0o022, path)

    def test_the_dockerfile_runs_the_script_and_says_what_it_made(self):
        self.assertIn("RUN docker/make_root.sh build/release/bin model/demo /image",
                      self.dockerfile)
        self.assertRegex(self.dockerfile, r"(?m)^ARG BASE=\S+\nFROM \$\{BASE\} AS build$")
        for label in ("title", "version", "revision", "licenses"):
            self.assertIn(f"org.opencontainers.image.{label}=", self.dockerfile)
        last = self.dockerfile.split("\nFROM ")[-1]
        self.assertTrue(last.startswith("scratch\n"))
        self.assertIn(f"\nUSER {USER}:{USER}\n", last)
        self.assertIn("\nHEALTHCHECK ", last)
        chart = yaml.safe_load((SOURCE / "deploy/helm/alignsae/Chart.yaml").read_text())
        self.assertIn(f"ARG VERSION={chart['appVersion']}\n", last)


if __name__ == "__main__":
    if shutil.which("dpkg-query") is None or shutil.which("jq") is None:
        print("dpkg and jq are not here; skipped")
        raise SystemExit(77)
    unittest.main(verbosity=2)
