#!/usr/bin/env python3
"""Installs a build into a temporary prefix, compiles the examples against it as their head notes say, with the flags that
pkg-config gives and every warning an error, in C and C++, linked shared and static and with checked stores, and runs
them."""
import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile

EXAMPLES = pathlib.Path(__file__).resolve().parent
SETTINGS = ("GOGC", "GODEBUG", "GOMEMLIMIT", "TRICOLOR", "TRICOLOR_BALLAST", "LD_PRELOAD", "LD_LIBRARY_PATH")
WARNINGS = ["-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wcast-align", "-Werror", "-pthread"]

FORMS = {"shared": [], "static": [], "checked": ["-DTRICOLOR_CHECKED"]}


def output_of(*command, env=None):
    done = subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        sys.exit(f"FAILED with {done.returncode}: {shlex.join(map(str, command))}\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    return done.stdout


class Installed:
    """A build, installed below a folder. Its pkg-config file names the prefix that it was configured for."""

    def __init__(self, build, folder):
        output_of("meson", "install", "-C", build, "--no-rebuild", "--destdir", folder)
        found = list(pathlib.Path(folder).rglob("tricolor.pc"))
        if len(found) != 1:
            sys.exit(f"FAILED: {len(found)} files called tricolor.pc were installed")
        self.env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        self.env["PKG_CONFIG_PATH"] = str(found[0].parent)
        self.prefix = folder + output_of("pkg-config", "--variable=prefix", "tricolor", env=self.env).strip()
        self.libdir = self.flags("--variable=libdir")[0]

    def flags(self, *what):
        return output_of("pkg-config", f"--define-variable=prefix={self.prefix}", *what, "tricolor", env=self.env).split()

    def link_flags(self, static):
        if not static:
            return self.flags("--libs")
        return ["-Wl,-Bstatic", *self.flags("--static", "--libs"), "-Wl,-Bdynamic"]

    def check(self, compiler, source, form):
        static = form == "static"
        program = f"{self.prefix}/{source.stem}"
        output_of(*compiler, *WARNINGS, *FORMS[form], "-o", program, source, *self.flags("--cflags"), *self.link_flags(static),
                  env=self.env)
        needed = output_of("ldd", program, env=self.env | {"LD_LIBRARY_PATH": self.libdir})
        if ("libtricolor" in needed) == static:
            sys.exit(f"FAILED: {program}, {form}, needs\n{needed}")
        said = output_of(program, env=self.env if static else self.env | {"LD_LIBRARY_PATH": self.libdir})
        print(f"{' '.join(compiler)} {source.name} {form}: {said.strip()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--cxx")
    args = parser.parse_args()
    jobs = [([*shlex.split(args.cc), "-std=c11"], path) for path in sorted(EXAMPLES.glob("*.c"))]
    if args.cxx:
        jobs += [([*shlex.split(args.cxx), "-std=c++11"], path) for path in sorted(EXAMPLES.glob("*.cc"))]
    with tempfile.TemporaryDirectory(prefix="installed") as folder:
        installed = Installed(args.build, folder)
        for compiler, source in jobs:
            for form in FORMS:
                installed.check(compiler, source, form)
    return 0


if __name__ == "__main__":
    sys.exit(main())
