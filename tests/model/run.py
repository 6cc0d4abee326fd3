#!/usr/bin/env python3
"""run.py [--exhaustive] [--only WORD] [--memory MIB] [--keep DIR]: checks the protocol models with Spin.

Each line of variants.txt is generated (spin -a), compiled and searched to the end; then what pan found is compared with
what the line expects. The right protocol passes, each removed protection fails in its own way. A search that ran out
of depth, memory or time proves nothing: it is reported as unknown, and counts as a failure. Without --exhaustive only
the quick lines are run (about a minute in all, at most 900 MiB). Exit status 77: spin or a compiler is missing.

--only WORD   only the lines that contain WORD
--memory MIB  bound of one search; with --exhaustive 16000 unless told
--keep DIR    work there, one folder per line, with pan's output and trail (spin -t -p -k TRAIL SWITCHES MODEL)
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SECONDS, LONG_SECONDS = 50, 6 * 3600
DEPTH, LONG_DEPTH = 2_000_000, 40_000_000


def read_variants():
    variants = []
    for number, line in enumerate((HERE / "variants.txt").read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 5 or fields[1] not in ("quick", "long"):
            sys.exit(f"variants.txt:{number}: five fields, the second quick or long")
        variants.append(fields)
    return variants


def command(words, where):
    done = subprocess.run(words, cwd=where, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stdout}{done.stderr}")


def verdict(text):
    """What pan found: pass, wait, the name in the assertion, or unknown."""
    failed = re.search(r"^pan:1: assertion violated\s+(.*?) \(at depth", text, re.M)
    if failed:
        return re.search(r"[a-z_]+", failed.group(1)).group(0)
    if re.search(r"^pan:1: invalid end state", text, re.M):
        return "wait"
    complete = "errors: 0" in text and "Search not completed" not in text and "max search depth too small" not in text
    return "pass" if complete else "unknown"


def works(compiler):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "a.c")
        source.write_text("#include <stdio.h>\nint main(void) { return 0; }\n", encoding="utf-8")
        done = subprocess.run([*compiler, "-o", f"{folder}/a", source], capture_output=True, check=False)
        return done.returncode == 0


def find_compiler(exhaustive):
    """Most searches are shorter than an optimising compiler's work on them."""
    level = "-O2" if exhaustive else "-O0"
    compilers = [[name, level] for name in ("cc", "gcc", "clang")]
    if not exhaustive:
        compilers.insert(0, ["tcc"])
    return next((c for c in compilers if shutil.which(c[0]) and works(c)), None)


def search(model, switches, compiler, where, args):
    defines = ["-D" + switch for switch in switches.split()]
    # These models' steps all meet in shared words: partial order reduction costs time there and saves nothing.
    reduction = ["-DNOREDUCE"] if model in ("page", "beside", "hybrid") else []
    if args.exhaustive:
        reduction.append("-DCOLLAPSE")  # a third of the memory for half of the speed
    if "ONCE" in switches.split():
        reduction.append("-DBFS")  # what takes few steps from there is found soonest breadth-first
    command(["spin", "-a", *defines, str(HERE / f"{model}.pml")], where)
    command([*compiler, "-w", "-DSAFETY", f"-DMEMLIM={args.memory}", *reduction, "-o", "pan", "pan.c"], where)
    limit = LONG_SECONDS if args.exhaustive else SECONDS
    depth = LONG_DEPTH if args.exhaustive else DEPTH
    with open(where / "output.txt", "w", encoding="utf-8") as out:
        try:
            subprocess.run(["./pan", f"-m{depth}", "-w25" if args.exhaustive else "-w22"], cwd=where, stdout=out, stderr=out, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            pass
    text = (where / "output.txt").read_text(encoding="utf-8", errors="replace")
    states = re.search(r"(\d+) states, stored", text)
    return verdict(text), int(states.group(1)) if states else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--exhaustive", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path)
    args = parser.parse_args()
    args.memory = args.memory or (16000 if args.exhaustive else 900)
    compiler = find_compiler(args.exhaustive)
    if not shutil.which("spin") or not compiler:
        print("spin or a C compiler is missing (tools/install-deps)")
        return 77
    folder = args.keep or pathlib.Path(tempfile.mkdtemp(prefix="tricolor-model-"))
    bad = count = 0
    for number, (model, when, expected, switches, what) in enumerate(read_variants()):
        if (when == "long" and not args.exhaustive) or args.only not in f"{model} {switches} {what}":
            continue
        where = folder / f"{number:02d}-{model}"
        os.makedirs(where, exist_ok=True)
        begun = time.monotonic()
        try:
            found, states = search(model, switches, compiler, where, args)
        except RuntimeError as error:
            found, states = f"error: {error}", 0
        good = found in expected.split("/")
        count += 1
        bad += not good
        print(f"{'ok  ' if good else 'FAIL'} {model} [{switches}] {what}: {found}"
              f"{'' if good else f', expected {expected}'} ({states} states, {time.monotonic() - begun:.1f} s)", flush=True)
        if not args.keep:
            shutil.rmtree(where)
    if not args.keep:
        shutil.rmtree(folder)
    print(f"{count - bad} as expected, {bad} not")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
