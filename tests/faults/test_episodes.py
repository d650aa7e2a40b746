"""A few short episodes of scripts/faults, always the same ones."""

import os
import tempfile
import unittest

import run

# Chosen so that between them they have every kind of fault; see the kinds that each prints.
SEEDS = [int(seed) for seed in os.environ.get("LIHANDOVER_FAULTS_SEEDS", "").split()] or [768, 787, 2262, 527, 8986, 11]


class Episodes(unittest.TestCase):
    def test_promises_are_kept(self):
        run.harness.raise_descriptor_limit(20000)
        with tempfile.TemporaryDirectory(prefix="lihandover-faults-") as directory:
            for seed in SEEDS:
                with self.subTest(seed=seed):
                    self.assertTrue(run.run_one(seed, directory, quick=True), "a promise is broken, see above")


if __name__ == "__main__":
    unittest.main(verbosity=2)
