#!/usr/bin/env python3
"""Follows a page of documentation to the letter, in a copy of the tree and with an empty home: writes the programs that it
says to save, runs its commands in order in one shell, and compares what it shows with what they print.

A line that is shown must be printed, in the same order. Addresses and the figures of trace lines may differ. Commands
must succeed, but for a block whose output shows a fatal error: the last one there must fail.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SETTINGS = ("GOGC", "GODEBUG", "GOMEMLIMIT", "TRICOLOR", "TRICOLOR_BALLAST", "LD_PRELOAD", "LD_LIBRARY_PATH", "DESTDIR",
            "CFLAGS", "LDFLAGS", "MESON_TEST_ITERATION", "MALLOC_PERTURB_")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
NAME = re.compile(r"`([\w-]+\.(?:c|cc))`")
MARK = "=== block "


def files_in_git():
    """None: there is no git here, or this is no clone."""
    try:
        listed = subprocess.run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True,
                                text=True, check=False)
    except FileNotFoundError:
        return None
    return None if listed.returncode != 0 else list(filter(None, listed.stdout.split("\0")))


def copy_tree(to):
    """What a clean clone would have, with changes that are not committed yet."""
    names = files_in_git()
    if names is None:
        shutil.copytree(TOP, to, ignore=shutil.ignore_patterns("build*", ".git"), dirs_exist_ok=True)
        return
    for name in names:
        if (TOP / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TOP / name, to / name)


def parse(text):
    """[(kind, content, file name)]. A program's name is the last one that is mentioned before it."""
    blocks = []
    for match in BLOCK.finditer(text):
        kind, content = match.groups()
        names = NAME.findall(text[:match.start()]) if kind in ("c", "cpp") else []
        if kind not in ("c", "cpp", "sh", "text") or kind in ("c", "cpp") and not names:
            sys.exit(f"FAILED: a block that cannot be followed:\n{content}")
        blocks.append((kind, content, names[-1] if names else ""))
    return blocks


def script_of(blocks):
    lines = []
    for number, (kind, content, name) in enumerate(blocks):
        if kind in ("c", "cpp"):
            lines.append(f"cat >{name} <<'END OF PROGRAM'\n{content}END OF PROGRAM")
        elif kind == "sh":
            fails = "fatal" in shown_after(blocks, number)
            lines.append(f"echo '{MARK}{number}'\n" + ("set +e\n" if fails else "set -e\n") + content)
            lines += ["status=$?", "[ $status -ne 0 ] || { echo 'it did not fail'; exit 1; }"] if fails else []
    return "\n".join(lines) + f"\necho '{MARK}end'\n"


def shown_after(blocks, number):
    return blocks[number + 1][1] if number + 1 < len(blocks) and blocks[number + 1][0] == "text" else ""


def plain(line):
    line = re.sub(r"0x[0-9a-f]+", "0x", line.strip())
    return re.sub(r"[\d.]+", "N", line) if line.startswith("gc ") else line


def missing_lines(shown, printed):
    """Those of the lines shown that are not printed in their turn."""
    rest = iter([plain(line) for line in printed.splitlines()])
    return [line for line in shown.splitlines() if plain(line) not in rest]


def follow(blocks, folder, timeout):
    tree, home = pathlib.Path(folder) / "tricolor", pathlib.Path(folder) / "home"
    home.mkdir()
    copy_tree(tree)
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS} | {"HOME": str(home)}
    done = subprocess.run(["sh"], input=script_of(blocks), env=env, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=timeout)
    return done.returncode, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=600)
    args = parser.parse_args()
    blocks = parse(args.page.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="page") as folder:
        status, output = follow(blocks, folder, args.timeout)
    printed = dict(part.split("\n", 1) for part in output.split(MARK)[1:])
    failures = [] if status == 0 and "end" in printed else [f"the commands end with status {status}"]
    checked = 0
    for number, (kind, _, _) in enumerate(blocks):
        if kind == "sh" and str(number) in printed:
            failures += [f"not printed: {line}" for line in missing_lines(shown_after(blocks, number), printed[str(number)])]
            checked += 1
    print(f"{checked} blocks of commands followed")
    if failures:
        print("\n".join(["FAILED: " + failure for failure in failures] + ["--- output (end)", output[-4000:]]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
