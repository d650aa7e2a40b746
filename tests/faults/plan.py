"""Draws an episode from its seed: what is configured, who hands in what, and which faults come when.

A plan is plain JSON; an episode does what its plan says and draws nothing itself but what its sources and programs get
seeds for.
"""

import random
import uuid

# What an episode needs beyond Python. Faults whose needs are missing are left out, and the run says so.
SHIM, CLOCK, DISK = "the shim", "libfaketime", "a tmpfs of its own"
FRONT = "an LEA with a front before it"

PROXY_MODES = ("refuse", "blackhole", "reset", "half_close", "trickle", "late", "limit", "cut", "handshake_close",
               "handshake_reset")


def proxy(chance, plan):
    mode = chance.choice(PROXY_MODES)
    more = {"reset": {"after": chance.choice([0, 100, 1500, 3000, 10000])},
            "half_close": {"after": chance.choice([0, 10, 1500, 2500, 4000])},
            "trickle": {"rate": chance.choice([200, 2000, 20000])},
            "late": {"delay": chance.choice([0.1, 0.5, 1.5, 3])},
            "limit": {"connections": chance.choice([0, 1, 2])}}.get(mode, {})
    return {"lea": lea(chance, plan), "behaviour": {"mode": mode, **more}}


def lea(chance, plan):
    return chance.choice(plan["leas"])["name"]


def warrant(chance, plan):
    return chance.choice(plan["warrants"])["file"]


def rules(chance, plan):
    """Misbehaviour of the LEA itself; see the rules in tests/lea-sim/README.md."""
    liids = [w["liid"] for w in plan["warrants"]]
    kinds = [
        {"kind": "drop", "moment": "reading", "on": "all"}, {"kind": "drop", "moment": "answering", "on": "all"},
        {"kind": "drop", "moment": "answered"}, {"kind": "garbage"}, {"kind": "truncated"},
        {"kind": "wrong_transaction"},
        {"kind": "status", "status": 503, "on": "all"}, {"kind": "status", "status": 503, "retry_after": 1},
        {"kind": "status", "status": 429, "retry_after": 1}, {"kind": "status", "status": 400},
        {"kind": "status", "status": 404, "on": "uploads"}, {"kind": "status", "status": 413, "on": "uploads"},
        {"kind": "status", "status": 403, "on": "all"},
        {"kind": "status", "status": 302, "location": "https://127.0.0.1:1/x"},
        {"kind": "status", "status": 201, "on": "uploads"},
        {"kind": "error", "code": 3999, "description": plan["words"]}, {"kind": "error", "code": 3900},
        {"kind": "refuse", "code": 3900, "description": plan["words"]},
        {"kind": "refuse", "code": 3007, "description": plan["words"], "liid": chance.choice(liids)},
        {"kind": "refuse", "code": 3007, "description": plan["words"]},
        {"kind": "unanswered"}, {"kind": "twice"}, {"kind": "oversized", "size": 40000000},
        {"kind": "slow_read", "rate": 20000, "on": "all"}, {"kind": "withhold_continue", "on": "uploads"},
        {"kind": "exists", "description": plan["words"]}, {"kind": "first_only"}, {"kind": "foreign"},
        {"kind": "stranger", "code": 3900}, {"kind": "stranger", "code": 3007, "description": plan["words"]},
        {"kind": "under_status", "status": 202}, {"kind": "under_status", "status": 500, "code": 500},
        {"kind": "gzip"}, {"kind": "status", "status": 404, "nodes": 3, "node": 0},
        {"kind": "delay", "delay": "0ms", "jitter": "300ms"}, {"kind": "delay", "delay": "2500ms", "jitter": "500ms"},
    ]
    chosen = chance.sample(kinds, chance.randint(1, 5))
    return {"lea": lea(chance, plan),
            "rules": [{**rule, "probability": round(chance.choice([0.05, 0.2, 0.6, 1]), 2)} for rule in chosen]}


FRONT_MODES = ("double", "line_end", "stray", "no_close_notify", "http10", "interim", "two_lengths", "no_reason",
               "buffer")


def front(chance, plan):
    """What stands before the LEA and terminates TLS there (tests/lea-sim/front.py) misbehaves."""
    mode = chance.choice(FRONT_MODES)
    more = {"interim": {"count": chance.choice([1, 12])},
            "buffer": {"status": chance.choice([404, 500, 502, 503]), "uploads": chance.random() < 0.7}}.get(mode, {})
    return {"lea": with_front(chance, plan),
            "behaviour": {"mode": mode, "times": chance.choice([0, 1, 3, 20]), **more}}


# Long enough that somebody who does not have to wait is served before it ends (model.py).
TELLING = 14
BETWEEN = 10


def poison(chance, plan):
    """One LIID's messages, and only they, make the LEA, or what stands before it, misbehave."""
    victim = chance.choice(plan["warrants"])
    rule = chance.choice([
        {"kind": "status", "status": 403}, {"kind": "status", "status": 302, "location": "https://127.0.0.1:1/x"},
        {"kind": "status", "status": 429, "retry_after": 60}, {"kind": "status", "status": 503, "retry_after": 60},
        {"kind": "status", "status": 500}, {"kind": "status", "status": 400},
        {"kind": "drop", "moment": "answering"}, {"kind": "garbage"}, {"kind": "truncated"},
        {"kind": "error", "code": 3900}, {"kind": "refuse", "code": 3900}])
    return {"for": TELLING, "lea": victim["destination"], "liid": victim["liid"],
            "rule": {**rule, "contains": victim["liid"]}}


def node(chance, plan):
    """One of three nodes behind a load balancer is broken. The balancer distributes connections or requests."""
    rule = {"kind": "status", "status": chance.choice([404, 500, 503])}
    return {"for": TELLING, "lea": lea(chance, plan),
            "rule": {**rule, **chance.choice([{"nodes": 3, "node": 0}, {"every": 3}])}}


def with_front(chance, plan):
    return chance.choice([each for each in plan["leas"] if each["front"]] or plan["leas"])["name"]


def tolerated(chance, plan):
    """A front that answers in a way of its own: twice, with bytes behind the answer, as HTTP/1.0. Everybody is served."""
    mode = chance.choice([mode for mode in FRONT_MODES if mode != "buffer"])
    # After most of them a new connection is needed, which takes its time.
    stays = mode in ("interim", "two_lengths", "no_reason")
    return {"for": TELLING, "lea": with_front(chance, plan),
            "behaviour": {"mode": mode, "times": 0 if stays else 20, **({"count": 12} if mode == "interim" else {})}}


def buffers(chance, plan):
    """A front that takes whole uploads and then says no: messages go on."""
    return {"for": TELLING, "lea": with_front(chance, plan),
            "behaviour": {"mode": "buffer", "status": chance.choice([404, 503]), "uploads": True, "times": 0}}


def capped(chance, plan):
    """An LEA that takes fewer connections than are configured: everybody is served over those."""
    return {"for": TELLING, "lea": lea(chance, plan),
            "behaviour": {"mode": "limit", "connections": chance.choice([1, 2, 4])}}


def closer(chance, plan):
    """A balancer that closes connections in the handshake, as one that restarts: whoever goes elsewhere is served."""
    return {"for": TELLING, "lea": lea(chance, plan),
            "behaviour": {"mode": chance.choice(["handshake_close", "handshake_reset"])}}


def disk_errors(chance, plan):
    names = ["write_eio", "write_enospc", "write_short", "sync_eio", "read_eio", "grow_enospc", "create_emfile",
             "unlink_eio"]
    fields = {name: chance.choice([0.001, 0.01, 0.1, 0.5, 1]) for name in chance.sample(names, chance.randint(1, 3))}
    if chance.random() < 0.3:
        fields["slow_sync_ms"] = chance.choice([1, 20, 300])
    return {"errors": fields}


def dns(chance, plan):
    return {"lea": lea(chance, plan), "answer": chance.choice(["nxdomain", "again", "address 127.0.0.2",
                                                               "address 127.0.0.3", "address 127.0.0.1 3000"])}


def disk_hangs(chance, plan):
    # Some last long enough that it shows whether anything is sent meanwhile (model.py).
    return {"for": chance.choice([0, 1, TELLING / 2 + 2]), "stop": chance.random() < 0.2}


def clock(chance, plan):
    """Ahead by up to more than what is kept for records (90 days), and how it comes to be trusted again."""
    return {"offset": chance.choice([-172800, -90000, -7200, -301, -30, 30, 301, 7200, 90000, 172800, 8640000]),
            "trust": chance.choice(["kernel", "operator", None])}


# name: (weight, what is drawn beside "at" and "for", what it needs)
FAULTS = {
    "kill": (6, lambda chance, plan: {"pause": chance.choice([0, 0, 0.1, 1])}, None),
    "kill_starting": (3, lambda chance, plan: {"after": [round(chance.uniform(0, 0.4), 3)
                                                         for _ in range(chance.randint(1, 5))]}, None),
    "freeze": (2, lambda chance, plan: {}, None),
    "stop": (2, lambda chance, plan: {}, None),
    "reload": (2, lambda chance, plan: {"times": chance.randint(1, 10)}, None),
    "reconfigure": (3, lambda chance, plan: {"lea": lea(chance, plan), "change": chance.choice(
        ["actions", "connections", "sender", "receiver", "schema", "model", "bad"]),
        "number": chance.choice([1, 2, 5, 20, 100])}, None),
    "warrant_goes": (3, lambda chance, plan: {"warrant": warrant(chance, plan)}, None),
    "warrant_spoiled": (2, lambda chance, plan: {"warrant": warrant(chance, plan),
                                                 "restart": chance.random() < 0.5}, None),
    "warrants_vanish": (3, lambda chance, plan: {"how": chance.choice(["empty", "missing", "mounted"]),
                                                 "restart": chance.random() < 0.4,
                                                 "confirm": chance.random() < 0.3}, None),
    "lea_kill": (4, lambda chance, plan: {"lea": lea(chance, plan), "times": chance.choice([1, 1, 1, 4])}, None),
    "lea_freeze": (2, lambda chance, plan: {"lea": lea(chance, plan)}, None),
    "lea_rules": (8, rules, None),
    "proxy": (8, proxy, None),
    "front": (4, front, FRONT),
    "poison": (3, poison, None),
    "node": (2, node, None),
    "tolerated": (0, tolerated, FRONT),
    "buffers": (0, buffers, FRONT),
    "capped": (0, capped, None),
    "closer": (0, closer, None),
    "lea_certificate": (2, lambda chance, plan: {"lea": lea(chance, plan), "certificate": chance.choice(
        ["expired", "expiring", "other_name", "stranger"])}, None),
    "own_certificate": (2, lambda chance, plan: {"lea": lea(chance, plan), "certificate": chance.choice(
        ["expired", "stranger", "garbage"])}, None),
    "slow_clients": (2, lambda chance, plan: {"count": chance.choice([200, 1000, 2500]),
                                              "seed": chance.randrange(10**6)}, None),
    "operator": (3, lambda chance, plan: {"seed": chance.randrange(10**6)}, None),
    "disk_errors": (8, disk_errors, SHIM),
    "disk_forgets": (4, lambda chance, plan: {"chance": chance.choice([0.02, 0.1, 0.5, 1]),
                                              "kill": chance.random() < 0.5}, SHIM),
    "disk_hangs": (3, disk_hangs, SHIM),
    "dns": (3, dns, SHIM),
    "disk_full": (3, lambda chance, plan: {"leave": chance.choice([0, 4096, 200000, 1000000])}, DISK),
    "clock": (4, clock, CLOCK),
    "clock_start": (4, clock, CLOCK),
    "rekey": (0, lambda chance, plan: {}, None),  # where the store is encrypted (draw_keys)
    "clock_first": (0, clock, CLOCK),  # begins with the episode, once at most
}


# Those that show who may wait for whom, where nothing else is on.
ALONE = ("poison", "node", "tolerated", "buffers", "capped", "closer")


def draw(seed, quick=False, only=()):
    """The plan of an episode; a quick one is short and light, for a test. `only`: no other kinds of faults."""
    chance = random.Random(seed)
    # In some episodes nothing but these is tried, and they come one after the other. That shows who waits for whom, and
    # nobody gets through just by waiting for the next turn.
    telling = not set(only) - set(ALONE) if only else not quick and chance.random() < 0.15
    token = f"{chance.getrandbits(48):012x}"
    duration = chance.uniform(6, 8) if quick else chance.uniform(12, 35)
    if telling:
        duration = 2 * (TELLING + BETWEEN)
    plan = {
        "seed": seed,
        "duration": round(duration, 1),
        "matched": f"somebody-{token}",
        "unmatched": f"nobody-{token}",
        "words": "words of an LEA for the operator alone",
        "pace": chance.choice([0.3, 0.5] if telling else [0.05, 0.1] if quick else [0.01, 0.03, 0.06]),
        "leas": [],
        "warrants": [],
        "sources": [],
        "disk": chance.choice([None, None, 40, 80] if "disk_full" not in only else [40, 80]),
        "max_bytes": chance.choice([None, None, None, "24MiB"]),
        "clock": not telling and chance.random() < 0.35 or any(name.startswith("clock") for name in only),
        "commit_timeout": chance.choice(["1s", "2s", "10s"]),
        "validation": chance.choice(["all", "sample"]),
        # Objects that no event names fill a small disk until then.
        "object_wait": chance.choice(["3s", "15s"]),
        "named_files": chance.random() < 0.6,
        "schema_content": chance.choice(["first", "always", "never"]),
    }
    for number in range(chance.randint(1, 3)):
        plan["leas"].append({
            "name": f"lea-{number}",
            "binary": chance.choice([None, "A", "B", "B"]),
            "actions": chance.choice([1, 1, 3, 20]),
            "connections": chance.choice([1, 2, 8]),
            "upload_connections": chance.choice([1, 2, 4]),
            "timeout": chance.choice(["1s", "2s"]),
            "retry": {"initial": chance.choice(["5ms", "50ms"]), "error_codes": [3900],
                      "maximum": "60s" if telling else chance.choice(["100ms", "500ms"])},
            # Shorter than some of the clock's jumps: what has expired is put back by the operator.
            "expiry": chance.choice(["1h", "10d"]),
            "early_success": chance.choice(["refused", "delivered"]),
            "named": chance.random() < 0.5,
            # Otherwise objects waiting to be fetched fill a small store.
            "removes": bool(plan["disk"] or plan["max_bytes"]) or chance.random() < 0.5,
            "seed": chance.randrange(10**6),
            "front": bool({"front", "tolerated", "buffers"} & set(only)) or chance.random() < (0.6 if telling else 0.3),
        })
    people = [f"t-{token}-{n}" for n in range(chance.randint(2, 8))]
    emergency = chance.random() < 0.7
    for number in range(chance.randint(1, 9)):
        agency = chance.choice(plan["leas"])
        deliver = ["metadata"] + [part for part in ("content", "location") if chance.random() < 0.7]
        if agency["binary"] and chance.random() < 0.8:
            deliver.append("binary")
        window = chance.choice(["open", "open", "open", "opens", "closes", "both"])
        plan["warrants"].append({
            "file": f"w{number}.yaml", "destination": agency["name"], "liid": f"LI-{token}-{number}",
            "users": chance.sample(people, chance.choice([1, 1, 2]) if len(people) > 1 else 1),
            "deliver": deliver,
            "services": ["examplechat"] if chance.random() < 0.2 else [],
            "priority": "emergency" if emergency and number == 0 else "routine",
            "correlation": chance.choice(["conversation", "conversation", "none"]),
            "opens": round(duration * 0.3, 6) if window in ("opens", "both") else None,
            "closes": round(duration * 0.7, 6) if window in ("closes", "both") else None,
            "present": True,
        })
    plan["targets"] = people
    plan["users"] = people * chance.choice([1, 2]) + [f"n{n}" for n in range(chance.choice([2, len(people)]))]
    for number in range(chance.randint(2, 3) if quick or telling else chance.randint(2, 6)):
        plan["sources"].append({"listener": chance.choice(["local", "local", "messaging"]),
                                "seed": chance.randrange(10**9)})
    plan["faults"] = one_by_one(chance, plan, only) if telling else all_at_once(chance, plan, quick, only)
    draw_points(random.Random(f"points of {seed}"), plan, telling)
    draw_keys(random.Random(f"keys of {seed}"), plan, telling, only)
    return plan


def draw_points(chance, plan, telling):
    """Points of interception, and the tasks they have: of warrants that order content, by which their messages are known
    again, and that are in force at any time."""
    plan["tasks"] = {}
    for each in plan["warrants"]:
        each["xid"] = []
        if "content" not in each["deliver"] or each["services"] or each["opens"] or each["closes"] or \
                chance.random() < 0.3:
            continue
        shared = sorted(plan["tasks"]) if chance.random() < 0.3 else []
        xid = chance.choice(shared) if shared else str(uuid.UUID(int=chance.getrandbits(128)))
        each["xid"].append(xid)
        plan["tasks"].setdefault(xid, []).append(f"{each['destination']}|{each['liid']}")
    plan["points"] = [{"seed": chance.randrange(10**9)} for _ in range(0 if telling else chance.choice([0, 1, 1, 2]))]


def draw_keys(chance, plan, telling, only):
    """Whether the store is encrypted at rest, and when it gets other keys."""
    plan["encrypted"] = "rekey" in only or chance.random() < 0.4
    if plan["encrypted"] and not telling and (not only or "rekey" in only):
        plan["faults"] += [{"kind": "rekey", "at": round(chance.uniform(0, plan["duration"] - 1), 2), "for": 0}
                           for _ in range(chance.randint(1 if "rekey" in only else 0, 3))]
        plan["faults"].sort(key=lambda fault: fault["at"])


def possible(plan, needs):
    return not (needs == CLOCK and not plan["clock"]) and not (needs == DISK and not plan["disk"]) \
        and not (needs == FRONT and not any(each["front"] for each in plan["leas"]))


def one_by_one(chance, plan, only):
    names = [name for name in ALONE if possible(plan, FAULTS[name][2]) and (not only or name in only)]
    turns = chance.choices(names, k=2) if names else []
    # The last, since it may take as long again until the LEA is tried anew.
    turns = [name for name in turns if name != "closer"] + ["closer"] * ("closer" in turns)
    return [{"kind": name, "at": BETWEEN / 2 + turn * (TELLING + BETWEEN), **FAULTS[name][1](chance, plan)}
            for turn, name in enumerate(turns)]


def all_at_once(chance, plan, quick, only):
    duration = plan["duration"]
    names = [name for name, (weight, _, needs) in FAULTS.items() if possible(plan, needs) and weight
             and not (quick and name == "slow_clients") and (not only or name in only)]
    # A few kinds for each episode, so that each comes about often enough together with each other.
    names = chance.sample(names, min(len(names), chance.randint(2, 7)))
    weights = [FAULTS[name][0] for name in names]
    found = []
    for _ in range((int(duration / chance.uniform(1, 4)) + 1) if names else 0):
        name = chance.choices(names, weights)[0]
        found.append({"kind": name, "at": round(chance.uniform(0, duration - 1), 2),
                      "for": round(min(chance.expovariate(0.5) + 0.1, duration / 2), 2), **FAULTS[name][1](chance, plan)})
    if plan["clock"] and ("clock_first" in only or not only and chance.random() < 0.3):
        found.append({"kind": "clock_first", "at": 0, **clock(chance, plan),
                      "for": round(chance.uniform(0.5, duration / 2), 2)})
    return sorted(found, key=lambda fault: fault["at"])


def seeds(seed):
    """Episode seeds, one after the other."""
    chance = random.Random(f"episodes of {seed}")
    while True:
        yield chance.randrange(10**9)
