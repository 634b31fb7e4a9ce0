#!/usr/bin/env python3
"""countries-list from npm, in the version that countries.tsv names: the committed table is
what make_countries.mjs makes of it."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import installed

DATA = pathlib.Path(os.environ["ALIGNSAE_SOURCE"]) / "model/train/data"


class CountriesTest(unittest.TestCase):
    def test_the_table_is_made_of_the_package(self):
        committed = (DATA / "countries.tsv").read_text(encoding="utf-8")
        version = re.search(r"countries-list (\S+)", committed).group(1)
        place = installed.node(f"countries-list@{version}")
        shutil.copy(DATA / "make_countries.mjs", place)
        done = subprocess.run(["node", "make_countries.mjs"], cwd=place, capture_output=True,
                              text=True, encoding="utf-8", timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), committed.splitlines())


if __name__ == "__main__":
    unittest.main(verbosity=2)
