"""What the daemon keeps in memory."""
from __future__ import annotations

import time

from bench.measure import BenchError, Figure, Samples, Target, measures
from bench.rig import Destination, Rig, WARM_UP, free_port, resident_mib


@measures(
    Figure("memory-idle", "resident after 2,000 items, 1,000 warrants", "MiB", "", Target(40, at_most=True)),
    Figure("memory-waiting", "resident with 2 million items waiting", "MiB", "", Target(120, at_most=True)),
    Figure("start-with-backlog", "start with as many waiting, until ready", "s"))
def memory(rig: Rig) -> dict[str, Samples]:
    idle, full, again = Samples(), Samples(), Samples()
    with rig.lea() as lea, rig.daemon([Destination("lea", lea.port)], 1000) as daemon:
        rig.deliver(daemon, [lea], WARM_UP, "--users", 1000)
        idle.values.append(resident_mib(daemon.pid))
    waiting = rig.sizes.waiting
    with rig.daemon([Destination("lea", free_port())], 1000) as daemon:  # nobody listens there
        rate = rig.load(waiting, "--batch", 100, "--users", 1000)["per_second"]
        full.values.append(resident_mib(daemon.pid))
        full.notes.update(waiting=waiting, filled_per_second=round(rate))
        queued = rig.metric("lihandover_outbox_items", 'state="queued"')
        if queued != waiting:
            raise BenchError(f"{queued:.0f} items wait instead of {waiting}")
        rig.stop(daemon)
        start = time.monotonic()
        daemon = rig.start_daemon(rig.work / "lihandoverd.yaml")
        again.values.append(time.monotonic() - start)
        again.notes["resident_mib"] = round(resident_mib(daemon.pid), 1)
        rig.stop(daemon)
    rig.empty("state")
    return {"memory-idle": idle, "memory-waiting": full, "start-with-backlog": again}
