#!/usr/bin/env python3
"""check_includes.py [--root DIR]: who may include whom.

include/ includes only itself, and its public half only its public half. alloc/, barrier/ and pacer/ include include/
and their own folder, never each other. gc/ composes them and includes all. tools/cli sees what a user sees: the public
headers, and its own. Every quoted include names its path from the top or from include/.
"""
import argparse
import pathlib
import re
import sys

PUBLIC = "include/tricolor"
MAY_INCLUDE = {
    PUBLIC: [PUBLIC],
    "include": ["include"],
    "alloc": ["include", "alloc"],
    "barrier": ["include", "barrier"],
    "pacer": ["include", "pacer"],
    "gc": ["include", "alloc", "barrier", "pacer", "gc"],
    "tools/cli": [PUBLIC, "tools/cli"],
}
# Single headers beyond that, and why.
EXCEPTIONS = {
    "gc/parse.h": ["tools/cli"],  # pure functions: the command judges a setting exactly as the library will
    "include/internal/atomic.h": ["tools/cli"],  # the command reads a page that another process writes
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".c", ".h", ".cc"}


def inside(path, folder):
    return path.startswith(folder + "/")


def resolve(root, name):
    """The included file, from the top of the tree, or None when it is not ours."""
    for candidate in (name, "include/" + name):
        if (root / candidate).is_file():
            return candidate
    return None


def check_line(root, folder, line):
    match = INCLUDE.match(line)
    if not match:
        return None
    bracket, name = match.groups()
    target = resolve(root, name) if "/" in name else None
    if target is None:
        return None if bracket == "<" else f'"{name}" is not a path from the top or from include/'
    if folder in EXCEPTIONS.get(target, []):
        return None
    if not any(inside(target, allowed) for allowed in MAY_INCLUDE[folder]):
        return f"{folder}/ must not include {target}"
    return None


def check_tree(root):
    problems, seen, files = [], set(), 0
    for folder in MAY_INCLUDE:  # the public headers come before the rest of include/
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix not in SOURCES or name in seen:
                continue
            seen.add(name)
            files += 1
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                problem = check_line(root, folder, line)
                if problem:
                    problems.append(f"{name}:{number}: {problem}")
    return problems, files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    problems, files = check_tree(parser.parse_args().root)
    print("\n".join(problems + [f"{files} files, {len(problems)} problems"]))
    return 1 if problems or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
