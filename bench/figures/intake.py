"""Events under no warrant: nearly all of them."""
from __future__ import annotations

import json
import statistics
import subprocess

from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.rig import Destination, Rig, resident_mib


@measures(Figure("no-warrant", "events under no warrant through the Unix socket, batches of 100", "events/s", "",
                 Target(300_000)))
def no_warrant(rig: Rig) -> dict[str, Samples]:
    samples = Samples()
    events = rig.sizes.events * 10
    options = ("--batch", 100, "--user-prefix", "n-", "--users", 100_000)
    with rig.lea() as lea:
        with rig.daemon([Destination("lea", lea.port)], rig.sizes.warrants) as daemon:
            rig.load(events // 10, *options)
            for _ in range(rig.sizes.repeat):
                samples.values.append(rig.load(events, *options)["per_second"])
            samples.notes.update(warrants=rig.sizes.warrants, resident_mib=round(resident_mib(daemon.pid), 1))
        if lea.accepted() != 0:
            raise BenchError("events of nobody were delivered")
    return {"no-warrant": samples}


@measures(
    Figure("parse-and-match", "parse and match of one event of 1 KB, 100,000 warrants", "events/s",
           "simdjson walk over the same events", Target(0.4)),
    Figure("parse-and-match-escapes", "the same, text with many escapes", "events/s",
           "simdjson walk over the same events"))
def parse_and_match(rig: Rig) -> dict[str, Samples]:
    names = {"0": "parse-and-match", "1": "parse-and-match-escapes"}
    samples = {name: Samples() for name in names.values()}
    # Each is one program's run, in which walk and parser take turns in random order.
    output = subprocess.run(
        [rig.program("bench_intake"), "--benchmark_filter=walk_on_demand|walk_tree|parse_and_match",
         "--benchmark_format=json", f"--benchmark_repetitions={rig.sizes.repeat}",
         "--benchmark_enable_random_interleaving=true",
         f"--benchmark_min_time={min(0.5, rig.sizes.seconds / 3)}"], check=True, capture_output=True, text=True).stdout
    walks: dict[str, dict[str, list[float]]] = {"0": {}, "1": {}}
    for line in json.loads(output)["benchmarks"]:
        if line["run_type"] != "iteration":
            continue
        name, escapes = line["run_name"].split("/escapes:")
        if name == "parse_and_match":
            samples[names[escapes]].values.append(line["items_per_second"])
        else:
            walks[escapes].setdefault(name, []).append(line["items_per_second"])
    for escapes, name in names.items():
        samples[name].baseline = walks[escapes]["walk_on_demand"]
        samples[name].notes["dom_walk_per_second"] = round(statistics.median(walks[escapes]["walk_tree"]))
    return samples
