#!/usr/bin/env python3
"""TRI_TYPE compiles without a warning in C and C++, gives the same bitmap in both, and refuses what it must.

    test_types_compile.py --cc COMPILER [--cxx COMPILER]
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"
HEAD = "#include <tricolor/tricolor.h>\n"
GOOD = HEAD + """
struct node { struct node *left, *right; uint64_t key; const char *name[2]; struct { int a; void *p; } in; char tail; };
TRI_TYPE(node_type, struct node, left, right, name[1], in.p);
TRI_TYPE_DATA(data_type, struct node);
TRI_TYPE(unused_type, struct node, name);
int main(void) {
  return node_type.pointers[0] == 0x53 && node_type.bitmap_words == 1 && data_type.bitmap_words == 0 ? 0 : 1;
}
"""
BAD = {
    "a field of half a word": "struct s { int i; int k; void *p; };\nTRI_TYPE(t, struct s, i);",
    "a field that is not aligned": "struct s { char c; void *p; char d[7]; } __attribute__((packed));\nTRI_TYPE(t, struct s, p);",
    "a struct that does not tile": "struct s { void *p; char c; } __attribute__((packed));\nTRI_TYPE(t, struct s, p);",
    "a struct that is too large": "struct s { void *p[513]; };\nTRI_TYPE(t, struct s, p);",
    "a field that is not there": "struct s { void *p; };\nTRI_TYPE(t, struct s, q);",
    "too many fields": "struct s { void *p[40]; };\nTRI_TYPE(t, struct s, " + ", ".join(f"p[{i}]" for i in range(33)) + ");",
}


def compiles(command, text, folder, *more):
    source = pathlib.Path(folder, "types" + (".cc" if "++" in command[0] else ".c"))
    source.write_text(text + "\n", encoding="utf-8")
    return subprocess.run([*command, f"-I{INCLUDE}", str(source), *more], capture_output=True, text=True, check=False)


def check(command):
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        program = str(pathlib.Path(folder, "types"))
        run = compiles([*command, "-pedantic", "-Wall", "-Wextra", "-Werror"], GOOD, folder, "-o", program)
        if run.returncode != 0 or subprocess.run([program], check=False).returncode != 0:
            wrong.append("the good one: " + run.stderr)
        for name, text in BAD.items():
            if compiles(command, HEAD + text, folder, "-fsyntax-only").returncode == 0:
                wrong.append(name + " compiles")
    print("\n".join(f"{' '.join(command)}: {line}" for line in wrong or ["ok"]))
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx")
    args = parser.parse_args()
    commands = [[*args.cc.split(), "-std=c11"]] + ([[args.cxx, "-std=c++11"], [args.cxx, "-std=c++17"]] if args.cxx else [])
    return 0 if all([check(command) for command in commands]) else 1


if __name__ == "__main__":
    sys.exit(main())
