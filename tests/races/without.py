#!/usr/bin/env python3
"""without.py [--only WORD] [--keep DIR] [--texts]: each protection of protections.py is taken out of a copy of the sources, which
is built and run: the forced races that are named there must fail, and with nothing taken out they must pass.

A protection whose text has changed, a variant that does not build, and a race that passes without its protection are
failures. Takes some minutes; prints one line for each protection, and a verdict.

--only WORD  those whose name or description has WORD in it
--keep DIR   work there, and leave it
--texts      only look whether the code has the text of each, which takes no time
"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from protections import PROTECTIONS

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SECONDS = 40  # a scenario gives up sooner
COPIED = ("alloc", "barrier", "gc", "include", "pacer", "tests", "tools")
TARGETS = ("tests/races/races_hybrid", "tests/races/races_stops")


def build(where, first=False):
    if first:
        command = ["meson", "setup", "--buildtype=debug", "-Doptimization=1", "-Drace_points=true", "build"]
        done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"without.py: {' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    done = subprocess.run(["ninja", "-C", "build", *TARGETS], cwd=where, capture_output=True, text=True, check=False)
    return done.stdout[-2000:] if done.returncode != 0 else None


def passes(where, program, scenario, stacks):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRICOLOR", "GO", "LD_"))}
    setting = f"stacks={stacks}" if stacks else "barrier=stw"
    environment |= {"GOGC": "off", "GODEBUG": "clobberfree=1", "TRICOLOR": setting}
    try:
        done = subprocess.run([where / "build/tests/races" / program, scenario], env=environment, cwd=where,
                              capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def cases(protection):
    for program, scenario, stacks in protection.fails:
        for how in stacks or ("",):
            yield program, scenario, how


def named(case):
    return f"{case[1]}{', ' + case[2] if case[2] else ''}"


def taken_out(where, edits):
    """The edited files as they were; None: the text is not there, or more than once."""
    saved = {}
    for name, old, new in edits:
        path = where / name
        text = path.read_text(encoding="utf-8")
        if text.count(old) != 1:
            put_back(saved)
            return None
        saved.setdefault(path, text)
        path.write_text(text.replace(old, new), encoding="utf-8")
    return saved


def put_back(saved):
    for path, text in saved.items():
        path.write_text(text, encoding="utf-8")


def check(where, protection):
    """What is wrong, or None."""
    saved = taken_out(where, protection.edits)
    if saved is None:
        return "its text is not in the code as it stands"
    try:
        error = build(where)
        if error:
            return f"does not build: {error}"
        good = [named(case) for case in cases(protection) if passes(where, *case)]
        return f"not noticed by: {'; '.join(good)}" if good else None
    finally:
        put_back(saved)


def look_for_texts(chosen):
    """The protections whose text is not in the code."""
    with tempfile.TemporaryDirectory(prefix="tricolor-without-") as name:
        where = pathlib.Path(name)
        copy_sources(where)
        for p in chosen:
            saved = taken_out(where, p.edits)
            if saved is None:
                yield p
            else:
                put_back(saved)


def copy_sources(where):
    where.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.copytree(TOP / name, where / name, dirs_exist_ok=True, copy_function=shutil.copy)
    for path in TOP.iterdir():
        if path.is_file():
            shutil.copy(path, where)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--texts", action="store_true")
    args = parser.parse_args()
    chosen = [p for p in PROTECTIONS if args.only in f"{p.name} {p.what}"]
    if args.texts:
        lost = [p.name for p in look_for_texts(chosen)]
        print(f"{len(chosen)} protections; not in the code as it stands: {', '.join(lost) or 'none'}")
        return 1 if lost or not chosen else 0
    where = args.keep.resolve() if args.keep else pathlib.Path(tempfile.mkdtemp(prefix="tricolor-without-"))
    copy_sources(where)
    error = build(where, first=not (where / "build").exists())
    if error:
        sys.exit(f"without.py: the sources do not build: {error}")
    bad = 0
    for case in sorted({case for p in chosen for case in cases(p)}):
        if not passes(where, *case):
            bad += 1
            print(f"FAIL with nothing taken out: {named(case)}", flush=True)
    for p in chosen:
        begun = time.monotonic()
        wrong = check(where, p)
        bad += wrong is not None
        print(f"{'FAIL' if wrong else 'ok  '} {p.name} ({p.what}){': ' + wrong if wrong else ''} "
              f"[{len(list(cases(p)))} races, {time.monotonic() - begun:.0f} s]", flush=True)
    if not args.keep:
        shutil.rmtree(where)
    print(f"{len(chosen)} protections, {bad} failures")
    return 1 if bad or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
