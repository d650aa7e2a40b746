"""What has to be there before anything is measured."""
from __future__ import annotations

import subprocess
import sys

from bench.rig import ROOT


def build(directory: str) -> None:
    """Installs what is missing and builds release with the benchmarks into that directory; ends the program if it
    cannot."""
    for command in (["scripts/install-deps", "--bench"],
                    ["scripts/build", "--bench", "--dir", directory, "lihandoverd", "lea-sim", "benchmarks",
                     "lihandover_faults_shim"]):
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            sys.exit(2)
