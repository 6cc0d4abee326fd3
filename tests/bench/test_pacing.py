#!/usr/bin/env python3
"""test_pacing.py BUILD: tools/bench-pacing computes what trace lines say, and runs its loads on ours at a tiny size."""
import argparse
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
TOOL = TOP / "tools/bench-pacing"
LINES = """\
gc 1 @0.500s 1%: 0.1+10+0.1 ms clock, 0.2+0/5/0+0.2 ms cpu, 4->4->4 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P
gc 2 @1.000s 1%: 1.0+100+1.0 ms clock, 2.0+20/50/7+2.0 ms cpu, 190->204->100 MB, 200 MB goal, 0 MB stacks, 0 MB globals, 2 P
another line
gc 3 @2.000s 1%: 1.0+100+1.0 ms clock, 2.0+0/50/0+2.0 ms cpu, 170->211->50 MB, 200 MB goal, 1 MB stacks, 1 MB globals, 2 P
gc 4 @2.500s 1%: 1.0+100+1.0 ms clock, 2.0+0/50/0+2.0 ms cpu, 90->90->10 MB, 100 MB goal, 0 MB stacks, 2 MB globals, 2 P (forced)
"""
problems = []


def check(condition, what):
    if not condition:
        problems.append(what)
        print(f"failed: {what}")


def load_tool():
    sys.path.insert(0, str(TOOL.parent))
    sys.dont_write_bytecode = True
    loader = importlib.machinery.SourceFileLoader("bench_pacing", str(TOOL))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_pacing", loader))
    sys.modules["bench_pacing"] = module
    loader.exec_module(module)
    return module


def check_figures(tool):
    """A run of four seconds whose clock began ten seconds before the runtime's."""
    result = {"form": "api", "main_s": 10.0, "clock_s": 10.0, "started_s": 10.9, "ended_s": 14.9, "tick_ms": 1000.0,
              "requests": 7, "checksum": "0", "collections": 0, "collect_s": 0.0, "p50_us": 1.0, "p99.9_us": 2.0,
              "max_us": 3.0, "marks": [["drop", 12.4]], "rss_kib": [n << 10 for n in (10, 90, 80, 30, 20)],
              "memory_kib": []}
    result["cycles"] = list(tool.cycles_of(LINES, result))
    check(len(result["cycles"]) == 4, "all trace lines are read")
    figures = tool.figures_of(tool.Setting("drop", "100", 1, 1), [result])
    check(figures["cycles"] == 2, f"collections that count: {figures['cycles']}")
    check(figures["near"] == 0.5 and figures["over"] == 0.5, f"near {figures['near']}, over {figures['over']}")
    check(abs(figures["workers"] - 0.25) < 1e-9, f"workers {figures['workers']}")
    check(abs(figures["assist"] - 0.05) < 1e-9, f"assist {figures['assist']}")
    check(abs(figures["gc"] - 0.182 / 8) < 1e-9, f"GC {figures['gc']}")
    check(figures["peak_heap"] == 211, f"peak {figures['peak_heap']}")
    check(figures["drop_goal"] == 22 and abs(figures["bound"] - 40.2) < 1e-9, f"goal after the drop {figures['drop_goal']}")
    check(abs(figures["settled_s"] - 1.6) < 1e-9, f"settled after {figures['settled_s']}")
    steady = list(tool.verdicts(tool.Setting("steady", "100", 1, 1), {"api": figures, "go": figures}))
    check(len(steady) == 3 and not any(v.ok for v in steady), "two collections are too few for a verdict")


def run_tool(build, folder):
    command = [sys.executable, str(TOOL), "--build", build, "--forms", "api,malloc", "--loads", "steady,limit,drop",
               "--gogc", "100", "--mib", "8", "--total", "120", "--limit", "32", "--drop-mib", "16", "--seconds", "0.2",
               "--rounds", "1", "--json", f"{folder}/figures", "--svg", f"{folder}/drawings"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    check(done.returncode == 0, f"status {done.returncode}: {done.stderr[-500:]}")
    check("ours API" in done.stdout and "peak/goal" in done.stdout, f"tables: {done.stdout[:500]}")
    return json.loads(pathlib.Path(f"{folder}/figures").read_text(encoding="utf-8"))


def check_run(output):
    tables = {(t["setting"]["load"], t["setting"]["mib"]): t["figures"] for t in output["tables"]}
    check(sorted(tables) == [("drop", 16), ("limit", 16), ("limit", 30.4), ("steady", 8)], f"tables: {sorted(tables)}")
    for (load, mib), by_form in tables.items():
        check(sorted(by_form) == ["api", "malloc"], f"{load}: forms {sorted(by_form)}")
        for form, f in by_form.items():
            check(mib / 2 < f["rss_peak"] < 40 * mib, f"{load} {form}: RSS peak {f['rss_peak']} MiB with {mib} MiB live")
            none = load == "limit" and f["cycles"] == 0  # a busy machine does not get that far in a fifth of a second
            check(none or 0 < f["gc"] <= 2, f"{load} {form}: GC share {f['gc']}")
            check(f["requests"] > 0 and f["max_us"] > 0, f"{load} {form}: {f}")
            if load == "limit":
                check(f["memory_peak"] and f["memory_peak"] > mib, f"{form}: counted {f['memory_peak']} MiB")
            if load == "drop":
                check(f["bound"] and 16 < f["bound"] < 40, f"{form}: bound {f['bound']} MiB")
            if load == "steady":
                check(f["cycles"] >= 3 and f["peak_to_goal"] > 0.5, f"{form}: {f['cycles']} cycles, {f['peak_to_goal']}")
                check(0 < f["workers"] <= 1.05 and 0 <= f["assist"] <= 2, f"{form}: {f['workers']}, {f['assist']}")
    words = " ".join(v["text"] for v in output["verdicts"])
    for wanted in ("of the goal", "workers took", "as the limit counts it", "RSS at most", "collecting took", "1.1 x goal"):
        check(wanted in words, f"a verdict with '{wanted}'")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    build = parser.parse_args().build
    check_figures(load_tool())
    with tempfile.TemporaryDirectory(prefix="pacing") as folder:
        check_run(run_tool(build, folder))
        drawings = list(pathlib.Path(folder, "drawings").glob("*.svg"))
        check(len(drawings) == 4, f"{len(drawings)} drawings")
        for path in drawings:
            xml.dom.minidom.parse(str(path))
    print("ok" if not problems else f"{len(problems)} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
