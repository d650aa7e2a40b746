"""The store and the documents by themselves."""
from __future__ import annotations

import json
import re
import subprocess

from bench.measure import BenchError, Figure, Samples, measures
from bench.rig import Rig


@measures(Figure("store", "items submitted and accepted again, groups of 200", "items/s",
                 "bare SQLite queue: insert, read, delete, every transaction synced"))
def store(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    directory = rig.work / "store"
    directory.mkdir(exist_ok=True)
    remembered = min(2_000_000, rig.sizes.remembered)
    for _ in range(rig.sizes.repeat):
        output = subprocess.run(
            [rig.program("bench_store"), "--dir", str(directory), "--items", str(rig.sizes.events * 2), "--preload",
             str(remembered)], check=True, capture_output=True, text=True).stdout
        bare = re.search(r"baseline:.*?(\d+) rows/s", output)
        ours = re.search(r"submit and accept, groups.*?(\d+) items/s.*?([\d.]+) us of", output)
        if bare is None or ours is None:
            raise BenchError("bench_store printed something else:\n" + output)
        samples.baseline.append(float(bare.group(1)))
        samples.values.append(float(ours.group(1)))
        samples.notes.update(remembered=remembered, processor_us_per_item=float(ours.group(2)))
    return {"store": samples}


@measures(Figure("documents", "documents of one action written from what the store keeps", "documents/s"))
def documents(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    output = subprocess.run(
        [rig.program("bench_handover"), "--benchmark_filter=write_message_from_stored_bytes|read_response/1",
         "--benchmark_format=json", f"--benchmark_repetitions={rig.sizes.repeat}",
         "--benchmark_enable_random_interleaving=true", f"--benchmark_min_time={min(0.5, rig.sizes.seconds / 3)}"],
        check=True, capture_output=True, text=True).stdout
    answers = []
    for line in json.loads(output)["benchmarks"]:
        if line["run_type"] != "iteration":
            continue
        per_second = 1e9 / line["cpu_time"]
        (samples.values if line["run_name"] == "write_message_from_stored_bytes" else answers).append(per_second)
    samples.notes["responses_read_per_second"] = round(sum(answers) / len(answers))
    return {"documents": samples}
