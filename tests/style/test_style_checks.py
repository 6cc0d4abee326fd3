#!/usr/bin/env python3
"""The style checks find what they look for: each bad input makes them fail, and a good tree passes."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
GOOD = "/* A note. */\nint tri_one(void) { return 1; }\n"


def long_function(lines):
    return "/* A note. */\nint tri_long(int x) {\n" + "  x++;\n" * (lines - 3) + "  return x;\n}\n"


def version_of(tool):
    path = shutil.which(tool)
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout if path else ""


class Check(unittest.TestCase):
    tool = ""

    def check(self, files, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="")
            return subprocess.run([sys.executable, str(TOOLS / self.tool), "--root", folder, *arguments],
                                  capture_output=True, text=True, check=False)

    def good(self, files, *arguments):
        run = self.check(files, *arguments)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def bad(self, files, expected, *arguments):
        run = self.check(files, *arguments)
        self.assertEqual(run.returncode, 1, run.stdout + run.stderr)
        self.assertIn(expected, run.stdout)


class Includes(Check):
    tool = "check_includes.py"
    headers = {"include/internal/base.h": "", "include/internal/atomic.h": "", "include/tricolor/tricolor.h": "", "alloc/a.h": "", "barrier/b.h": "",
               "gc/g.h": "", "pacer/p.h": "", "tools/cli/c.h": ""}

    def including(self, where, what):
        return {**self.headers, where: f'#include "{what}"\n'}

    def test_allowed(self):
        for where, what in [("alloc/x.c", "alloc/a.h"), ("alloc/x.c", "internal/base.h"), ("gc/x.c", "barrier/b.h"),
                            ("gc/x.c", "pacer/p.h"), ("tools/cli/x.c", "tricolor/tricolor.h"),
                            ("include/internal/x.h", "tricolor/tricolor.h"), ("tools/cli/x.c", "tools/cli/c.h"),
                            ("tools/cli/x.c", "internal/atomic.h")]:
            with self.subTest(where=where, what=what):
                self.good(self.including(where, what))

    def test_forbidden(self):
        for where, what in [("alloc/x.c", "gc/g.h"), ("alloc/x.c", "pacer/p.h"), ("barrier/x.c", "alloc/a.h"),
                            ("pacer/deep/x.c", "barrier/b.h"), ("include/internal/x.h", "alloc/a.h"),
                            ("include/tricolor/x.h", "internal/base.h"), ("tools/cli/x.c", "internal/base.h"),
                            ("tools/cli/x.c", "gc/g.h")]:
            with self.subTest(where=where, what=what):
                self.bad(self.including(where, what), "must not include")

    def test_angle_brackets_hide_nothing(self):
        self.bad({**self.headers, "alloc/x.c": "#include <gc/g.h>\n"}, "must not include")

    def test_path_is_needed(self):
        self.bad({**self.headers, "alloc/x.c": '#include "a.h"\n'}, "is not a path")

    def test_empty_tree(self):
        self.bad({}, "0 files")


class Style(Check):
    tool = "check_style.py"

    def test_good(self):
        self.good({"alloc/a.c": GOOD, "include/internal/atomic.h": "int x = __atomic_load_n(&y, 0);\n"})

    def test_atomics(self):
        for call in ["__atomic_load_n(p, 0)", "__sync_fetch_and_add(p, 1)", "atomic_load(p)", "AO_load(p)"]:
            with self.subTest(call=call):
                self.bad({"gc/a.c": f"/* Note. */\nint tri_f(int *p) {{ return {call}; }}\n"}, "atomics go through")
        self.good({"gc/a.c": "/* Like atomic_load(p). */\n", "tests/a.c": "/* Note. */\n_Atomic int x;\n"})

    def test_calls(self):
        for call in ["printf(\"x\")", "malloc(1)", "free(p)", "snprintf(b, 1, \"\")", "fopen(\"a\", \"r\")"]:
            with self.subTest(call=call):
                self.bad({"pacer/a.c": f"/* Note. */\nvoid tri_f(void *p) {{\n  {call};\n}}\n"}, "in the runtime")
        self.good({"gc/a.c": "/* Note. */\nvoid free(void *p) {\n  tri_free(p);\n  port.free(p);\n  port->free(p);\n}\n"})
        self.good({"tests/a.c": "/* Note. */\nvoid f(void *p) {\n  free(p);\n}\n"})

    def test_head_note(self):
        self.bad({"alloc/a.c": "int tri_one(void) { return 1; }\n"}, "no note")

    def test_function_length(self):
        self.good({"alloc/a.c": long_function(70)})
        self.bad({"alloc/a.c": long_function(71)}, "tri_long() has 71 lines")
        self.bad({"alloc/a.c": long_function(71).replace("int tri_long", "static const struct x *\ntri_long")}, "lines")

    @unittest.skipUnless("version 14." in version_of("clang-format"), "needs clang-format 14")
    def test_format(self):
        form = {".clang-format": "BasedOnStyle: Google\n"}
        self.good({**form, "alloc/a.c": GOOD})
        self.bad({**form, "alloc/a.c": GOOD.replace("return 1", "return  1")}, "clang-format would change it")

    def test_text(self):
        for text, expected in [("a \n", "blanks"), ("\ta\n", "a tab"), ("a\r\n", "carriage"), ("a", "no newline"),
                               ("see /" + "home/me/x\n", "somebody's machine"), ("TO" + "DO later\n", "unfinished")]:
            with self.subTest(text=text):
                self.bad({"tools/a.txt": text}, expected)

    def test_empty_tree(self):
        self.bad({}, "0 files")


class Headers(Check):
    tool = "check_headers.py"

    def test_good(self):
        self.good({"include/tricolor/a.h": "#include <stddef.h>\nsize_t tri_a(void);\n"})

    def test_not_alone(self):
        self.bad({"include/tricolor/a.h": "size_t tri_a(void);\n"}, "FAILED")

    def test_not_cxx(self):
        self.bad({"include/tricolor/a.h": "int tri_a(int class);\n"}, "c++17")

    def test_not_c11(self):
        self.bad({"include/tricolor/a.h": "int tri_a(void), tri_b[0];\n"}, "c11")

    def test_none(self):
        self.bad({"README.md": "x\n"}, "")


if __name__ == "__main__":
    unittest.main()
