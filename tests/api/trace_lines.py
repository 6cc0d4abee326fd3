#!/usr/bin/env python3
"""Every line of a traced run has Go's shape, and its fields are what the statistics say.

usage: trace_lines.py PROGRAM SECONDS
"""
import json
import os
import re
import subprocess
import sys

MS = r"(\d+|\d+\.\d{1,3})"
GC = re.compile(rf"^gc (\d+) @(\d+\.\d{{3}})s (\d+)%: {MS}\+{MS}\+{MS} ms clock, {MS}\+{MS}/{MS}/{MS}\+{MS} ms cpu, "
                r"(\d+)->(\d+)->(\d+) MB, (\d+) MB goal, (\d+) MB stacks, (\d+) MB globals, (\d+) P( \(forced\))?$")
FLOAT = r"(\d+(?:\.\d+)?(?:e[+-]\d{2})?)"
OTHERS = {
    "scav": re.compile(r"^scav (\d+) KiB work \(bg\), (\d+) KiB work \(eager\), (\d+) KiB now, (\d+)% util( \(forced\))?$"),
    "start": re.compile(rf"^pacer: assist ratio={FLOAT} \(scan (\d+) MB in (\d+)->(\d+) MB\) workers=(\d+)\+{FLOAT}$"),
    "end": re.compile(rf"^pacer: (\d+)% CPU \(25 exp\.\) for (\d+)\+(\d+)\+(\d+) B work \((\d+) B exp\.\) in (\d+) B -> "
                      rf"(\d+) B \(\u2206goal (-?\d+), cons/mark {FLOAT}\)$"),
    "sweep": re.compile(rf"^pacer: sweep done at heap size (\d+)MB; allocated (\d+)MB during sweep; swept (\d+) pages at "
                        rf"{FLOAT} pages/byte$"),
    "scvg": re.compile(r"^scvg: (\d+ KB released|inuse: \d+, idle: \d+, sys: \d+, released: \d+, consumed: \d+ \(MB\))$"),
    "ours": re.compile(r"^tricolor: "),
}
# Else the world is stopped while it is marked, and nothing is allocated meanwhile.
CONCURRENT = "barrier=stw" not in os.environ.get("TRICOLOR", "")


def fail(why):
    sys.exit(f"trace_lines: {why}")


def need(ok, why):
    if not ok:
        fail(why)


def near(a, b, share, slack):
    return abs(a - b) <= max(a, b) * share + slack


def run(program, seconds):
    env = dict(os.environ, GODEBUG="gctrace=1,scavtrace=1,gcpacertrace=1", GOGC="100")
    done = subprocess.run([program, seconds], env=env, capture_output=True, text=True, check=False)
    need(done.returncode == 0, f"{program}: status {done.returncode}: {done.stderr[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.splitlines()


def parse(lines):
    cycles, others = {}, {name: [] for name in OTHERS}
    pacer = None
    for line in lines:
        match = GC.match(line)
        if match:
            number = int(match[1])
            need(number == len(cycles) + 1, f"collections out of order: {line}")
            cycles[number] = dict(zip(("at", "percent", "stw1", "mark", "stw2", "cpu1", "assist", "workers", "idle", "cpu2",
                                       "start", "end", "live", "goal", "stacks", "globals", "procs"),
                                      map(float, match.groups()[1:18])), forced=bool(match[19]), pacer=pacer)
            pacer = None
            continue
        kind = next((name for name, shape in OTHERS.items() if shape.match(line)), None)
        need(kind, f"a line of no known shape: {line}")
        others[kind].append(OTHERS[kind].match(line).groups())
        if kind == "end":
            pacer = list(map(float, OTHERS[kind].match(line).groups()))
    return cycles, others


def check_cycle(number, c):
    """What holds within a line. Printed durations are cut to two digits."""
    what = f"gc {number}: {c}"
    need(near(c["cpu1"], c["stw1"] * c["procs"], 0.1, 0.002) and near(c["cpu2"], c["stw2"] * c["procs"], 0.1, 0.002), what)
    need(c["assist"] + c["workers"] + c["idle"] <= c["mark"] * c["procs"] * 1.2 + 1, what)
    need(c["percent"] <= 100 and c["live"] <= c["end"] + 1 and c["start"] <= c["end"] + 1, what)
    if c["pacer"]:
        need(int(c["pacer"][5]) >> 20 == c["start"] and int(c["pacer"][6]) >> 20 == c["end"], what)


def check_percent(cycles):
    """U%: of all CPU time since the start, without idle marking."""
    last = cycles[max(cycles)]
    used = sum(c["cpu1"] + c["assist"] + c["workers"] + c["cpu2"] for c in cycles.values())
    passed = last["at"] * 1000 + last["stw1"] + last["mark"] + last["stw2"]
    need(near(100 * used / passed / last["procs"], last["percent"], 0.1, 1.5), f"{used} ms of CPU time after {passed} ms: {last}")


def check_told(told, cycles):
    """The program asked right after collection `num`, its own."""
    c = cycles[told["num"]]
    what = f"gc {told['num']}: {c}, the statistics: {told}"
    need(c["forced"], what)
    need(near(told["pause_ns"] / 1e6, c["stw1"] + c["stw2"] + (0 if CONCURRENT else c["mark"]), 0.1, 0.002), what)
    need(told["live"] >> 20 == c["live"] and told["stack"] >> 20 == c["stacks"] and told["globals"] >> 20 == c["globals"], what)
    need(near(told["fraction"] * 100, c["percent"], 0.1, 1.5), what)
    need(sum(x["forced"] for n, x in cycles.items() if n <= told["num"]) == told["forced"], what)
    if c["pacer"]:
        need(tuple(map(int, c["pacer"][1:4])) == (told["scan"], told["stack"], told["globals"]), what)
    following = cycles.get(told["num"] + 1)
    if following:
        need(near(told["next"] / 2**20, following["goal"], 0.02, 1), f"{what}, next: {following}")


def main():
    told, lines = run(sys.argv[1], sys.argv[2])
    cycles, others = parse(lines)
    need(len(cycles) == told[-1]["num"] >= 6, f"{len(cycles)} lines for {told[-1]['num']} collections")
    need(any(not c["forced"] for c in cycles.values()), "no collection came by itself")
    for name in ("scav", "start", "sweep", "scvg") + (("end",) if CONCURRENT else ()):
        need(others[name], f"no line of the kind {name}")
    for number, c in cycles.items():
        need(number == 1 or c["at"] >= cycles[number - 1]["at"], f"gc {number} is too early")
        check_cycle(number, c)
    check_percent(cycles)
    for t in told:
        check_told(t, cycles)
    forced = [s for s in others["scav"] if s[4]]
    need(len(forced) == 1 and near(int(forced[0][2]), told[-1]["released"] >> 10, 0.01, 64), f"{forced}, {told[-1]}")
    print(f"{len(cycles)} collections, {len(told)} times compared, {len(lines)} lines")


main()
