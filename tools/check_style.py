#!/usr/bin/env python3
"""check_style.py [--root DIR]: rules of the tree that a compiler does not check.

- atomics only through include/internal/atomic.h;
- the runtime's folders call neither stdio nor malloc and its family;
- each .c file opens with a note;
- functions of at most 70 lines, but for those named below, with the reason;
- no blanks at line ends, no tabs, no carriage returns, a newline at the end;
- no paths of somebody's machine, no marks of unfinished work;
- what clang-format says, where version 14 is installed.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

LINE_LIMIT = 70
# "file: function" -> why it reads better whole.
LONG_FUNCTIONS = {}

RUNTIME = ("alloc/", "barrier/", "pacer/", "gc/")
OURS = RUNTIME + ("include/", "tools/cli/")
ATOMIC_HEADER = "include/internal/atomic.h"
PUBLIC_BARRIER = "include/tricolor/barrier.h"  # compiled into programs, which do not have ours
FOLDERS = ("alloc", "barrier", "pacer", "gc", "include", "tests", "tools", ".ci")
TEXT_SUFFIXES = {".c", ".h", ".cc", ".py", ".sh", ".txt", ".md", ".lua", ".build", ".gdb", ".svg", ".1", ""}
CODE_SUFFIXES = {".c", ".h", ".cc"}

ATOMIC = re.compile(
    r"\b(atomic_(load|store|exchange|fetch|compare|thread|signal|init|flag)\w*|__atomic_\w+|__sync_\w+|AO_\w+)\b"
    r"|\b_Atomic\b|<stdatomic\.h>|<atomic_ops\.h>")
# Only indented lines: a definition of ours (the malloc family) starts in the first column.
STDIO = re.compile(
    r"^\s+.*?(?<![\w.>])(v?[fsd]?n?printf|v?asprintf|f?puts|f?putc|putchar|perror|fopen|fdopen|fclose|fflush"
    r"|fwrite|fread|fgets|getline|malloc|calloc|realloc|reallocarray|free|strn?dup|posix_memalign|aligned_alloc)\s*\(")
MANUAL_PAGE = ".1"  # tables in it are separated by tabs
# It is the malloc family, and malloc_info() writes to a FILE.
MALLOC_ITSELF = "gc/malloc_override.c"
MACHINE = re.compile(r"/(work|farm|root|home|pyenv)/|\bdeb\.[d]ebian\.org|[r]egistry\.npmjs")
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
FUNCTION = re.compile(r"^[A-Za-z_].*?(\w+)\s*\(")


def without_comments(text):
    """The code with comments and the inside of strings blanked, line for line."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_text(name, text):
    if text and not text.endswith("\n"):
        yield len(text.splitlines()), "no newline at the end"
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith((" ", "\t")):
            yield number, "blanks at the end of the line"
        if "\t" in line and not name.endswith(MANUAL_PAGE):
            yield number, "a tab"
        if "\r" in line:
            yield number, "a carriage return"
        if MACHINE.search(line):
            yield number, "a path or host of somebody's machine"
        if UNFINISHED.search(line):
            yield number, "a mark of unfinished work"


def check_calls(name, code):
    for number, line in enumerate(code.split("\n"), 1):
        found = ATOMIC.search(line) if name.startswith(OURS) and name not in (ATOMIC_HEADER, PUBLIC_BARRIER) else None
        if found:
            yield number, f"{found.group(0)}: atomics go through {ATOMIC_HEADER}"
        found = STDIO.match(line) if name.startswith(RUNTIME) and name != MALLOC_ITSELF else None
        if found:
            yield number, f"{found.group(1)}() in the runtime"


def check_functions(name, code):
    start, title = None, ""
    for number, line in enumerate(code.split("\n"), 1):
        if start is None and FUNCTION.match(line) and not line.rstrip().endswith(";"):
            start, title = number, FUNCTION.match(line).group(1)
        elif line.startswith(("}", "#")) or (start is not None and line.rstrip().endswith(");") and line[:1].strip()):
            length = number - start + 1 if start is not None else 0
            if line.rstrip() == "}" and length > LINE_LIMIT and f"{name}: {title}" not in LONG_FUNCTIONS:
                yield start, f"{title}() has {length} lines, {LINE_LIMIT} are the limit"
            if not line.startswith("#"):
                start = None


def check_file(name, text):
    yield from check_text(name, text)
    if pathlib.PurePath(name).suffix not in CODE_SUFFIXES:
        return
    if name.endswith((".c", ".cc")) and not text.lstrip().startswith(("/*", "//")):
        yield 1, "no note at the head of the file"
    code = without_comments(text)
    yield from check_calls(name, code)
    yield from check_functions(name, code)


def files_of(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts:
                yield path
    yield from (path for path in sorted(root.iterdir()) if path.is_file() and path.suffix in TEXT_SUFFIXES)


def check_format(root, code_files):
    tool = shutil.which("clang-format")
    if not tool or not code_files or not (root / ".clang-format").is_file():
        return []
    version = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False).stdout
    if not re.search(r"version 14\.", version):
        print(f"clang-format left out: not version 14 ({version.strip()})")
        return []
    run = subprocess.run([tool, "--dry-run", "-Werror", *map(str, code_files)], capture_output=True, text=True,
                         check=False, cwd=root)
    bad = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error: code should be clang-formatted", run.stderr, re.M)))
    if run.returncode != 0 and not bad:
        bad = [run.stderr.strip()]
    return [f"{pathlib.Path(path).relative_to(root) if path.startswith('/') else path}: clang-format would change it"
            for path in bad]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    problems, files = [], list(files_of(root))
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            problems.append(f"{name}: not UTF-8 text")
            continue
        problems += [f"{name}:{number}: {problem}" for number, problem in check_file(name, text)]
    problems += check_format(root, [path for path in files if path.suffix in CODE_SUFFIXES])
    print("\n".join(problems + [f"{len(files)} files, {len(problems)} problems"]))
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
