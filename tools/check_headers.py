#!/usr/bin/env python3
"""check_headers.py [--root DIR] [--cc COMPILER] [--cxx COMPILER]: each public header compiles alone.

As pedantic C11 and, where there is a C++ compiler, as C++17, without warnings.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]


def compiles(compiler, language, standard, root, header):
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / f"alone.{language}"
        source.write_text(f"#include <{header}>\nint main(void) {{ return 0; }}\n", encoding="utf-8")
        run = subprocess.run([*compiler.split(), f"-std={standard}", *FLAGS, f"-I{root / 'include'}", str(source)],
                             capture_output=True, text=True, check=False)
    verdict = "ok" if run.returncode == 0 else "FAILED"
    print(f"{header} as {standard} ({compiler}): {verdict}\n{run.stderr}".rstrip())
    return run.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    args = parser.parse_args()
    include = args.root / "include"
    headers = sorted(path.relative_to(include).as_posix() for path in (include / "tricolor").glob("*.h"))
    good = [compiles(args.cc, "c", "c11", args.root, header) for header in headers]
    if shutil.which(args.cxx.split()[0]):
        good += [compiles(args.cxx, "cpp", "c++17", args.root, header) for header in headers]
    else:
        print(f"{args.cxx} is not there: C++ left out")
    return 0 if good and all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
