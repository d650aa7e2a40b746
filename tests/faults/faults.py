"""What each fault of a plan does to an episode, and how it is undone.

Each function gets the episode and the fault out of the plan, works in a thread of its own, and ends when the fault is
over. Faults overlap: who undoes something puts it back to what is good, and the episode makes everything good at its
end.
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import harness
import load

HERE = os.path.dirname(os.path.abspath(__file__))


def kill(episode, fault):
    episode.supervisor.kill(fault["pause"])


def kill_starting(episode, fault):
    episode.supervisor.kill_starting(fault["after"])


def freeze(episode, fault):
    process = episode.daemon.process
    process.signal(signal.SIGSTOP)
    time.sleep(fault["for"])
    process.signal(signal.SIGCONT)


def stop(episode, _fault):
    with episode.supervisor.lock:
        episode.supervisor.stop()
        episode.supervisor.start()


def reload(episode, fault):
    for _ in range(fault["times"]):
        with episode.supervisor.lock:
            # Before it has installed its handlers, SIGHUP kills a program.
            if episode.supervisor.settled:
                episode.daemon.process.signal(signal.SIGHUP)
        time.sleep(fault["for"] / fault["times"])


def control(episode, *arguments):
    """Runs lihandoverctl, which may find no daemon; its output, or None if it failed."""
    try:
        done = subprocess.run([harness.LIHANDOVERCTL, "--socket", episode.daemon.control, *arguments, "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=episode.patience(60))
    except subprocess.TimeoutExpired:
        episode.trouble(0, "lihandoverctl to end", arguments)
        return None
    return done.stdout if done.returncode == 0 else None


def reload_now(episode):
    begun = time.monotonic()
    told = control(episode, "reload")
    if told is not None and json.loads(told).get("outcome") in ("done", "partial"):
        episode.warrants.settled(begun)


def reconfigure(episode, fault):
    """Another configuration for a while. What items say was fixed when they were made."""
    daemon = episode.daemon
    with episode.lock:
        destination = daemon.configuration["destinations"][fault["lea"]]
        number, change = fault["number"], fault["change"]
        if change == "actions":
            destination["max_actions_per_message"] = number
        elif change == "connections":
            destination["connections"] = destination["upload_connections"] = number
        elif change == "sender":
            destination["sender"] = {"country_code": "GB", "unique_identifier": f"SENDER-{number}"}
        elif change == "receiver":
            destination["receiver"] = {"country_code": "GB", "unique_identifier": f"RECEIVER-{number}"}
        elif change == "schema":
            daemon.configuration["csp_schema"]["url"] = f"https://csp.example.com/schema/{number}"
        elif change == "model" and "binary" in destination:
            destination["binary"]["expiry"] = f"{20 + number}d"
        daemon.write_configuration()
        if change == "bad":
            with open(daemon.config_path, "a", encoding="ascii") as file:
                file.write("\nunheard_of: 1\n")
    try:
        if change == "bad":
            told = control(episode, "reload")
            if told is not None and json.loads(told).get("outcome") != "failed":
                episode.trouble(10, "a bad configuration to change nothing", told)
        else:
            reload_now(episode)
    finally:
        if change == "bad":
            with episode.lock:
                daemon.write_configuration()


def rekey(episode, _fault):
    """Another master key, under which everything is sealed anew while all else goes on."""
    with episode.lock:
        episode.add_master_key()
        episode.daemon.write_configuration()
    reload_now(episode)
    control(episode, "rekey", "--no-wait")


def restore_configuration(episode):
    with episode.lock:
        for lea in episode.leas.values():
            destination = episode.daemon.configuration["destinations"][lea.plan["name"]]
            destination["connections"] = lea.plan["connections"]
        episode.daemon.write_configuration()


def warrant_of(episode, fault):
    return next(w for w in episode.plan["warrants"] if w["file"] == fault["warrant"])


def warrant_goes(episode, fault):
    """Ends a warrant by removing its file, and puts it back. Others are not touched."""
    warrant = warrant_of(episode, fault)
    episode.touch_warrant(warrant, load.ABSENT, 1)
    reload_now(episode)
    time.sleep(fault["for"])
    episode.touch_warrant(warrant, load.ABSENT, -1)
    reload_now(episode)


def warrant_spoiled(episode, fault):
    """A bad file: the last good version stays in force, even across a restart."""
    warrant = warrant_of(episode, fault)
    if fault["restart"]:
        # The version in the store is that of the last start or reload that saw the file.
        reload_now(episode)
    episode.touch_warrant(warrant, load.SPOILED, 1)
    reload_now(episode)
    if fault["restart"]:
        episode.supervisor.kill()
    time.sleep(fault["for"])
    episode.touch_warrant(warrant, load.SPOILED, -1)
    reload_now(episode)


def warrants_vanish(episode, fault):
    """All files are gone at once, and nothing ends, unless an operator confirms it."""
    away = episode.take_warrants_away(fault["how"])
    try:
        reload_now(episode)
        if away and not fault["confirm"]:
            episode.expect_nothing_ended()
        if fault["restart"]:
            episode.supervisor.kill()
        if fault["confirm"]:
            confirm_ended(episode)
        time.sleep(fault["for"])
    finally:
        episode.bring_warrants_back()
    reload_now(episode)


def confirm_ended(episode):
    """An operator says so until the daemon hears it, or nobody knows."""
    episode.warrants.ending_is_confirmed()
    end = time.monotonic() + episode.patience(5)
    while time.monotonic() < end:
        told = control(episode, "reload", "--confirm-ended")
        if told is not None and json.loads(told).get("outcome") in ("done", "partial"):
            episode.warrants.confirmed()
            return
        time.sleep(0.1)
    episode.warrants.called_off()


def lea_of(episode, fault):
    return episode.leas[fault["lea"]]


def lea_kill(episode, fault):
    lea = lea_of(episode, fault)
    for _ in range(fault["times"]):
        with lea.lock:
            lea.kill()
            time.sleep(fault["for"] / fault["times"])
            lea.begin()
        time.sleep(0.1)


def lea_freeze(episode, fault):
    process = lea_of(episode, fault).process
    process.signal(signal.SIGSTOP)
    time.sleep(fault["for"])
    process.signal(signal.SIGCONT)


def lea_rules(episode, fault):
    lea = lea_of(episode, fault)
    lea.rule(fault["rules"])
    time.sleep(fault["for"])
    lea.rule([])


def poison(episode, fault):
    """One LIID's messages fail; everybody else at that LEA is served (promise 4)."""
    lea = lea_of(episode, fault)
    lea.rule([fault["rule"]])
    time.sleep(fault["for"])
    lea.rule([])


def node(episode, fault):
    """One of several nodes fails; the others serve everybody."""
    poison(episode, fault)


def front(episode, fault):
    lea = lea_of(episode, fault)
    lea.front_does(fault["behaviour"])
    time.sleep(fault["for"])
    lea.front_does({"mode": "pass"})


def tolerated(episode, fault):
    front(episode, fault)


def buffers(episode, fault):
    front(episode, fault)


def capped(episode, fault):
    lea_of(episode, fault).between({"mode": "cut"})
    proxy(episode, fault)


def closer(episode, fault):
    """The connections that stand are cut first, so that others are needed."""
    lea_of(episode, fault).between({"mode": "cut"})
    proxy(episode, fault)


def proxy(episode, fault):
    lea = lea_of(episode, fault)
    lea.between(fault["behaviour"])
    time.sleep(fault["for"])
    lea.between({"mode": "pass"})


def lea_certificate(episode, fault):
    """The LEA starts with a certificate that nobody should trust, or that expires while it is in use."""
    lea = lea_of(episode, fault)
    with lea.lock:
        episode.certificate(lea, fault["certificate"])
        lea.again()
    time.sleep(fault["for"])
    with lea.lock:
        episode.certificate(lea, "good")
        lea.again()


def own_certificate(episode, fault):
    """The operator replaces the certificate for the LEA by a bad one, and puts the good one back."""
    lea = lea_of(episode, fault)
    with lea.lock:
        episode.own_certificate(lea, fault["certificate"])
    reload_now(episode)
    time.sleep(fault["for"])
    with lea.lock:
        episode.own_certificate(lea, "good")
    reload_now(episode)


def slow_clients(episode, fault):
    count = min(fault["count"], episode.descriptors())
    clients = harness.Process("slow_clients", [sys.executable, os.path.join(HERE, "slow_clients.py"),
                                               episode.daemon.intake, str(count), str(fault["for"]),
                                               str(fault["seed"])],
                              episode.directory)
    clients.wait(episode.patience(60) + fault["for"])


def operator(episode, fault):
    """Lists items, rejects a few, and puts refused ones back."""
    chance = random.Random(fault["seed"])
    end = time.monotonic() + fault["for"]
    while True:
        told = control(episode, "items", "--limit", "50")
        items = json.loads(told) if told else []
        if items and chance.random() < 0.7:
            chosen = [each["id"] for each in chance.sample(items, min(len(items), chance.randint(1, 3)))]
            with episode.lock:
                episode.rejected.update(dict.fromkeys(chosen, "by an operator of the fault harness"))
            control(episode, "reject", *chosen, "--reason", "by an operator of the fault harness")
        for lea in episode.leas:
            control(episode, "retry", "--destination", lea)
        control(episode, "status")
        if time.monotonic() > end:
            return
        time.sleep(0.2)


def disk_fails(episode):
    entry = [time.monotonic(), None]
    with episode.lock:
        episode.disk_faults.append(entry)
    return entry


def disk_errors(episode, fault):
    entry = disk_fails(episode)
    episode.shim.set(**fault["errors"])
    time.sleep(fault["for"])
    episode.shim.set(**{name: 0 for name in fault["errors"]})
    entry[1] = time.monotonic()


def disk_forgets(episode, fault):
    """Syncs that fail once, and what was written before them is gone."""
    disk_errors(episode, {**fault, "errors": {"sync_forgets": fault["chance"]}})
    if fault["kill"]:
        episode.supervisor.kill()


def disk_hangs(episode, fault):
    """No sync returns for longer than store.commit_timeout. Sources are told so, and the service manager."""
    if not episode.hanging.acquire(blocking=False):
        return
    entry = disk_fails(episode)
    episode.shim.set(hung=0, syncs_hang=1)
    try:
        process = wait_for_hanging(episode)
        if process is not None and fault["stop"]:
            stop_hanging(episode, process)
        elif process is not None:
            look_at_hanging(episode, process, fault["for"])
    finally:
        episode.shim.set(syncs_hang=0)
        entry[1] = time.monotonic()
        episode.hanging.release()


def wait_for_hanging(episode):
    """The daemon, once one of its syncs hangs; None where none does."""
    end = time.monotonic() + episode.patience(3)
    while time.monotonic() < end:
        process = episode.daemon.process
        if episode.shim.get("hung") == process.pid:
            return process
        time.sleep(0.02)
    return None


def look_at_hanging(episode, process, seconds):
    """Within commit_timeout it says that it is not ready; then sources are refused, and nothing is sent."""
    if not episode.supervisor.settled:  # it hangs in its start, and nobody is served yet
        time.sleep(seconds)
        return
    begun = time.time()
    limit = episode.commit_timeout + episode.patience(5)
    while process.running() and episode.ready_now() in (200, None):
        if time.time() > begun + limit:
            if process.running() and not episode.was_frozen(begun):
                episode.trouble(11, f"to say within {limit} s after a sync began to hang that it is not ready", "nothing")
            return
        time.sleep(0.05)
    since = time.time()
    if process.running():
        episode.ask_while_hanging(process)
    time.sleep(seconds)
    if process.running():
        with episode.lock:
            episode.hangs.append([since, time.time()])


def stop_hanging(episode, process):
    """A disk that hangs makes a stop take no longer than shutdown_timeout and two seconds."""
    with episode.supervisor.lock:
        if episode.daemon.process is not process or not episode.supervisor.settled:
            return
        episode.supervisor.wanted = False
        begun = time.time()
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGCONT)
        limit = 12 + episode.patience(5)
        try:
            process.wait(limit)
        except AssertionError:
            if not episode.was_frozen(begun):
                episode.trouble(0, f"a stop to take {limit} s at most while the disk hangs", "it goes on")
            process.kill()
        episode.shim.set(syncs_hang=0)
        episode.supervisor.start()


def disk_full(episode, fault):
    entry = disk_fails(episode)
    episode.small_disk.fill(fault["leave"])
    time.sleep(fault["for"])
    episode.small_disk.free()
    entry[1] = time.monotonic()


def dns(episode, fault):
    table = {f"{name}.test": "address 127.0.0.1" for name in episode.leas}
    table[f"{fault['lea']}.test"] = fault["answer"]
    episode.shim.resolve(table)
    # Names are looked up when connections are made.
    lea_of(episode, fault).between({"mode": "cut"})
    time.sleep(fault["for"])
    episode.names_good()


def clock(episode, fault):
    """The clock jumps, and is set right."""
    with wrong_clock(episode, fault) as may:
        if may:
            time.sleep(fault["for"])


def clock_start(episode, fault):
    """The daemon starts with a clock that is wrong."""
    with wrong_clock(episode, fault, before=stopped) as may:
        if may:
            time.sleep(fault["for"])


def clock_first(episode, fault):
    """So it was at its very first start; the episode began so."""
    with episode.clock_lock:
        time.sleep(fault["for"])
        clock_is_right(episode, fault)
        episode.warrants.first_right = time.monotonic()


@contextlib.contextmanager
def wrong_clock(episode, fault, before=contextlib.nullcontext):
    """One at a time: an operator who says that the clock is right has to know."""
    if not episode.clock_lock.acquire(blocking=False):
        yield False
        return
    try:
        with before(episode):
            episode.clock_goes_wrong(fault["offset"])
        yield True
        clock_is_right(episode, fault)
    finally:
        episode.clock_lock.release()


@contextlib.contextmanager
def stopped(episode):
    with episode.supervisor.lock:
        episode.supervisor.stop()
        yield
        episode.supervisor.start()


def clock_is_right(episode, fault):
    episode.set_clock(0)
    if fault["trust"] == "kernel":
        episode.kernel_says(synchronised=True)
    elif fault["trust"] == "operator":
        control(episode, "clock", "accept")


RUN = {function.__name__: function for function in (
    kill, kill_starting, freeze, stop, reload, reconfigure, rekey, warrant_goes, warrant_spoiled, warrants_vanish, lea_kill,
    lea_freeze, lea_rules, poison, node, tolerated, buffers, capped, closer, front, proxy, lea_certificate, own_certificate,
    slow_clients, operator, disk_errors, disk_forgets, disk_hangs, disk_full, dns, clock, clock_start, clock_first)}
