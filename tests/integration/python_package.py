"""The Python package as a test imports it: made from the repository's sources, or, with
ALIGNSAE_PACKAGE=installed, the one of the Python that runs.

Import it before alignsae_server: the package finds that one's stubs (alignsae.v1), but not
the other way round.
"""
import os
import pathlib
import shutil
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("ALIGNSAE_SOURCE", pathlib.Path(__file__).parents[2]))
PYTHON = SOURCE / "client/python"


def make(place):
    """Puts the package into the folder `place`, made afresh. Returns `place`."""
    sys.path.insert(0, str(PYTHON))
    import build_api  # pylint: disable=import-outside-toplevel
    package = pathlib.Path(place) / "alignsae"
    shutil.copytree(PYTHON / "src/alignsae", package,
                    ignore=shutil.ignore_patterns("__pycache__", "api.binpb"))
    (package / "api.binpb").write_bytes(build_api.describe(build_api.protos()))
    return pathlib.Path(place)


if os.environ.get("ALIGNSAE_PACKAGE") != "installed":
    _FOLDER = tempfile.TemporaryDirectory(prefix="alignsae-package-")
    sys.path.insert(0, str(make(_FOLDER.name)))
