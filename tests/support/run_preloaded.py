#!/usr/bin/env python3
"""Run one program with the library preloaded and compare what it did with what was expected.

Only the program sees LD_PRELOAD and the settings, never this script. Expected by default: status 0, a last line "ok"
on stdout, nothing on stderr. On failure the reason, the command and the output are printed.
"""
import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile

import page_log

SETTINGS = ('LD_PRELOAD', 'GODEBUG', 'GOGC', 'GOMEMLIMIT', 'TRICOLOR', 'TRICOLOR_BALLAST')
CYCLE = re.compile(r'^gc \d+ @', re.M)


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--lib', help='library to preload')
    p.add_argument('--env', action='append', default=[], metavar='K=V')
    p.add_argument('--status', type=int, default=0, help='expected exit status')
    p.add_argument('--signal', help='expected signal instead, e.g. ABRT')
    p.add_argument('--stderr-has', action='append', default=[], metavar='REGEX')
    p.add_argument('--stderr-not', action='append', default=[], metavar='REGEX')
    p.add_argument('--stderr-lines', type=int, help='exact number of lines on stderr')
    p.add_argument('--stderr-names-address', action='store_true', help='an 0x... of stdout must be on stderr')
    p.add_argument('--no-ok', action='store_true', help='stdout need not end with "ok"')
    p.add_argument('--min-cycles', type=int, default=0, help='collections that must have happened')
    p.add_argument('--page', action='store_true', help='with barrier=page, which the log must name')
    p.add_argument('--page-works', action='store_true', help='the same, and the log must show it at work')
    p.add_argument('--page-assists', action='store_true', help='the same, and threads must have assisted')
    p.add_argument('--max-rss-mib', type=int)
    p.add_argument('--rlimit-as-mib', type=int, help='RLIMIT_AS set before exec')
    p.add_argument('--timeout', type=float, default=60)
    p.add_argument('command', nargs='+')
    return p.parse_args()


def add(env, name, setting):
    env[name] = ','.join(filter(None, [env.get(name), setting]))


def environment(args, log):
    env = {k: v for k, v in os.environ.items() if k not in SETTINGS and k != 'MALLOC_PERTURB_'}
    for pair in args.env:
        key, value = pair.split('=', 1)
        env[key] = value
    if args.lib:
        env['LD_PRELOAD'] = args.lib
    if args.page or args.page_works:
        add(env, 'GODEBUG', 'gctrace=2')
        add(env, 'TRICOLOR', 'barrier=page,log=' + log)
    elif args.min_cycles and args.lib:
        add(env, 'GODEBUG', 'gctrace=1')
        add(env, 'TRICOLOR', 'log=' + log)
    return env


def how_it_ended(code):
    if code is None:
        return 'did not end in time'
    return 'was killed by ' + signal.Signals(-code).name if code < 0 else f'exited with {code}'


def run(args, env):
    def limits():
        if args.rlimit_as_mib:
            limit = args.rlimit_as_mib << 20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    child = subprocess.Popen(args.command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, preexec_fn=limits, start_new_session=True)
    try:
        out, err = child.communicate(timeout=args.timeout)
        code = child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
        code = None
    return code, out.decode(errors='replace'), err.decode(errors='replace')


def judge(args, code, out, err, log_text):
    expected = -getattr(signal, 'SIG' + args.signal) if args.signal else args.status
    if code != expected:
        yield f'{how_it_ended(code)}; expected: {how_it_ended(expected)}'
    if expected == 0 and not args.no_ok and out.splitlines()[-1:] != ['ok']:
        yield 'stdout does not end with "ok"'
    for pattern in args.stderr_has:
        if not re.search(pattern, err, re.M):
            yield f'stderr does not match {pattern!r}'
    for pattern in args.stderr_not:
        if re.search(pattern, err):
            yield f'stderr matches {pattern!r}'
    lines = args.stderr_lines
    if lines is None and not args.stderr_has and not args.signal and expected == 0:
        lines = 0
    if lines is not None and len(err.splitlines()) != lines:
        yield f'{len(err.splitlines())} lines on stderr; expected: {lines}'
    if args.stderr_names_address:
        addresses = re.findall(r'0x[0-9a-f]+', out)
        if not addresses or not any(a in err for a in addresses):
            yield f'stderr does not name the address {" ".join(addresses)}'
    if args.min_cycles and args.lib:
        cycles = len(CYCLE.findall(log_text))
        if cycles < args.min_cycles:
            yield f'{cycles} collections; expected at least {args.min_cycles}'
    if args.page or args.page_works:
        yield from page_log.faults(log_text, args.page_works, args.page_assists)
    if args.max_rss_mib:
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
        if peak > args.max_rss_mib:
            yield f'peak RSS {peak} MiB; expected at most {args.max_rss_mib} MiB'


def main():
    args = arguments()
    args.page_works |= args.page_assists
    if (args.page or args.page_works) and page_log.kernel_may_lack_it():
        print('this kernel has no page barrier')
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        log = os.path.join(scratch, 'log')
        env = environment(args, log)
        code, out, err = run(args, env)
        if code == 77 and args.status != 77:
            print(out + err)
            return 77
        log_text = open(log, errors='replace').read() if os.path.exists(log) else ''
    reasons = list(judge(args, code, out, err, log_text))
    if not reasons:
        return 0
    settings = ' '.join(f'{k}={env[k]}' for k in SETTINGS if k in env)
    print('command:', settings, ' '.join(args.command))
    for reason in reasons:
        print('FAILED:', reason)
    print('--- stdout (end)\n' + out[-2000:])
    print('--- stderr (end)\n' + err[-4000:])
    return 1


if __name__ == '__main__':
    sys.exit(main())
