"""What hatchling does besides: the source archive carries the protos and the licence, the
wheel the protos' description and the licence."""
import pathlib
import sys
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import build_api  # noqa: E402  pylint: disable=wrong-import-position


class Hook(BuildHookInterface):
    def initialize(self, version, build_data):
        licence = str(build_api.protos().parent / "LICENSE")
        if self.target_name == "sdist":
            build_data["force_include"].update({str(build_api.protos()): "proto",
                                                licence: "LICENSE"})
            return
        build_data["extra_metadata"][licence] = "LICENSE"
        described = build_api.describe(build_api.protos())
        if version == "editable":
            pathlib.Path(self.root, "src/alignsae/api.binpb").write_bytes(described)
            return
        self.scratch = tempfile.TemporaryDirectory()
        path = pathlib.Path(self.scratch.name) / "api.binpb"
        path.write_bytes(described)
        build_data["force_include"][str(path)] = "alignsae/api.binpb"

    def finalize(self, version, build_data, artifact_path):
        if hasattr(self, "scratch"):
            self.scratch.cleanup()
