#!/usr/bin/env python3
"""count_tests.py TESTLOG_JSON: counts the results in meson's log, one JSON object per line.

Prints "passed N", "failed N" and one "name TEST (RESULT)" for each that failed. Skipped tests count as neither.
"""
import json
import sys

GOOD = {"OK", "EXPECTEDFAIL"}
NEITHER = {"SKIP", "IGNORED"}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    passed, failed = 0, []
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            if test["result"] in GOOD:
                passed += 1
            elif test["result"] not in NEITHER:
                failed.append(f'{test["name"]} ({test["result"]})')
    print(f"passed {passed}\nfailed {len(failed)}")
    for name in failed:
        print("name", name)


if __name__ == "__main__":
    main()
