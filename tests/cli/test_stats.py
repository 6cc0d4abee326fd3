#!/usr/bin/env python3
"""tricolor stats: the figures of a running program, read from outside, are those that it reads of itself; and what is
said where there are none."""
import fcntl
import json
import mmap
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time
import unittest

EXE, PRELOADED, LINKED, LIBRARY = map(os.path.abspath, sys.argv[1:5])
SETTINGS = ('LD_PRELOAD', 'GODEBUG', 'GOGC', 'GOMEMLIMIT', 'TRICOLOR', 'TRICOLOR_BALLAST', 'TRICOLOR_LIBRARY')
ENV = {k: v for k, v in os.environ.items() if k not in SETTINGS and k != 'MALLOC_PERTURB_'}
NOBODY = 65534
# These move by themselves: what the reading allocates, what the scavenger gives back, what other CPUs do.
UNSTABLE = {'Alloc', 'HeapAlloc', 'TotalAlloc', 'HeapInuse', 'HeapIdle', 'HeapReleased', 'GCCPUFraction', 'Sys', 'GCSys',
            'OtherSys', 'HeapSys'}
SLACK = 4 << 20
HEADER = struct.Struct('8sIILLL')  # magic, version, size, pid, sequence, written_ns


class Program:
    """A program that takes orders; see shown.c."""

    def __init__(self, linked=False, env=None, **kw):
        environment = dict(ENV, **(env or {}))
        if not linked:
            environment['LD_PRELOAD'] = LIBRARY
        self.child = subprocess.Popen([LINKED if linked else PRELOADED], env=environment, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, **kw)
        self.pid = self.child.pid

    def order(self, line):
        self.child.stdin.write(line + '\n')
        self.child.stdin.flush()
        answer = self.child.stdout.readline().strip()
        assert answer, f'no answer to {line}'
        return answer

    def figures(self):
        return dict(pair.split('=') for pair in self.order('figures').split())

    def stop(self):
        self.child.stdin.close()
        status = self.child.wait(20)
        self.child.stdout.close()
        return status


def cli(*args, **kw):
    return subprocess.run([EXE, *map(str, args)], env=ENV, capture_output=True, text=True, timeout=60, check=False, **kw)


class Stats(unittest.TestCase):
    def program(self, *args, **kw):
        p = Program(*args, **kw)
        self.addCleanup(lambda: self.assertEqual(p.stop(), 0))
        return p

    def collected(self, *args, **kw):
        p = self.program(*args, **kw)
        self.assertEqual(p.order('collect'), 'ok')
        return p

    def json_of(self, pid):
        r = cli('stats', '--json', pid)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        self.assertEqual(r.stdout.count('\n'), 1)
        return json.loads(r.stdout)

    def settled(self, pid):
        """MemStats, when the monitor, which looks each second, has no more to write for a program that waits."""
        now = self.json_of(pid)['MemStats']
        for _ in range(20):
            before = now
            time.sleep(2.5)
            now = self.json_of(pid)['MemStats']
            if now == before:
                return now
        self.fail('the figures of a program that waits go on changing')

    def refused(self, status, words, *args, **kw):
        r = cli('stats', *args, **kw)
        self.assertEqual((r.returncode, r.stdout), (status, ''), r.stderr)
        self.assertEqual(r.stderr.count('\n'), 1, r.stderr)
        self.assertTrue(r.stderr.startswith('tricolor: '), r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)

    def shows_nothing(self, pid):
        self.refused(1, [f'process {pid}: ', 'shows no statistics', 'not collected yet', 'stats=off'], pid)

    # The figures

    def compare(self, name, shown, own):
        if name in UNSTABLE or name.startswith(('/memory', '/cpu', '/gc/heap/allocs', '/gc/heap/frees')):
            self.assertLess(abs(float(shown) - float(own)), SLACK, name)
        else:
            self.assertEqual(float(shown), float(own), name)

    def agrees(self, p):
        own, shown = p.figures(), self.json_of(p.pid)
        self.assertEqual(shown['Process'], p.pid)
        self.assertLess(shown['AgeSeconds'], 30)
        mem, metrics = shown['MemStats'], shown['Metrics']
        last = (mem['NumGC'] + 255) % 256
        self.assertEqual((len(mem['PauseNs']), len(mem['PauseEnd'])), (256, 256))
        mem.update(PauseNs=mem['PauseNs'][last], PauseEnd=mem['PauseEnd'][last])
        self.assertEqual(set(mem) | set(metrics), set(own))
        for name, value in {**mem, **metrics}.items():
            self.compare(name, value, own[name])
        self.assertGreater(mem['HeapAlloc'], 8 << 20)
        return own

    def lines(self, *args):
        r = cli('stats', *args)
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        return dict(line.split(' ', 1) for line in re.sub(' +', ' ', r.stdout).splitlines())

    def figures_agree(self, linked):
        p = self.program(linked)
        p.order('allocate 12')
        for _ in range(3):
            p.order('collect')
        own = self.agrees(p)
        self.assertGreaterEqual(int(own['NumGC']), 3)
        lines = self.lines(p.pid)
        self.assertEqual(lines.pop('Process'), str(p.pid))
        self.assertRegex(lines.pop('Age'), r'^\d+\.\d{3} s$')
        self.assertEqual(set(lines), {name for name in own if name[0] != '/'})
        self.assertEqual(lines['NumGC'], own['NumGC'] + ' cycles')
        self.assertRegex(lines['NextGC'], '^' + own['NextGC'] + r' bytes \(\d+\.\d MiB\)$')
        self.assertTrue(lines['PauseTotalNs'].startswith(own['PauseTotalNs'] + ' ns ('))
        lines = self.lines('--metrics', p.pid)
        self.assertEqual(set(lines) - {'Process', 'Age'}, {name for name in own if name[0] == '/'})
        self.assertEqual(lines['/gc/heap/live:bytes'], own['/gc/heap/live:bytes'])
        p.order('percent -1')
        self.assertEqual(self.lines(p.pid)['NextGC'], 'off')
        self.agrees(p)

    def test_figures_are_told_again_after_the_sweep(self):
        for linked in (False, True):
            p = self.program(linked, env={'GOGC': '100000'})
            p.order('allocate 40')
            p.order('drop')
            p.order('allocate 12')
            p.order('collect')
            self.agrees(p)

    def test_figures_of_a_preloaded_program(self):
        self.figures_agree(False)

    def test_figures_of_a_linked_program(self):
        self.figures_agree(True)

    def test_figures_follow_without_a_collection(self):
        for linked in (False, True):
            p = self.collected(linked, env={'GOGC': '100000'})
            before = self.json_of(p.pid)['MemStats']
            time.sleep(2.5)  # the monitor is quiet again
            p.order('allocate 40')
            end = time.monotonic() + 10
            while self.json_of(p.pid)['MemStats']['HeapAlloc'] < before['HeapAlloc'] + (32 << 20):
                self.assertLess(time.monotonic(), end, 'the figures are old')
                time.sleep(0.1)
            self.assertEqual(self.json_of(p.pid)['MemStats']['NumGC'], before['NumGC'])

    def test_figures_are_of_one_moment(self):
        p = self.program()
        p.order('allocate 2')
        p.order('collect')
        p.order('busy 2')
        r = subprocess.Popen([EXE, 'stats', '--json', '--watch', '0.0005', str(p.pid)], env=ENV, stdout=subprocess.PIPE,
                             text=True)
        seen, end = set(), time.monotonic() + 2
        while time.monotonic() < end:
            shown = json.loads(r.stdout.readline())
            m, metrics = shown['MemStats'], shown['Metrics']
            seen.add(m['NumGC'])
            self.assertEqual(m['NumGC'], metrics['/gc/cycles/total:gc-cycles'])
            self.assertEqual(m['LastGC'], m['PauseEnd'][(m['NumGC'] + 255) % 256])
            self.assertEqual(m['Sys'], m['HeapSys'] + m['StackSys'] + m['GCSys'] + m['OtherSys'])
            self.assertEqual(m['Sys'], metrics['/memory/classes/total:bytes'])
        self.assertGreater(len(seen), 20)
        r.kill()
        r.wait()
        r.stdout.close()

    # Where there are none

    def test_no_page_before_a_collection(self):
        for linked in (False, True):
            p = self.program(linked)
            p.order('allocate 1')
            self.shows_nothing(p.pid)
            self.assertEqual([fd for fd in os.listdir(f'/proc/{p.pid}/fd') if int(fd) > 100], [])
            p.order('collect')
            self.assertEqual(self.json_of(p.pid)['MemStats']['NumGC'], 1)

    def test_switched_off(self):
        for setting in ('stats=off', 'collect=off'):
            p = self.collected(env={'TRICOLOR': setting})
            self.shows_nothing(p.pid)
            with open(f'/proc/{p.pid}/maps', encoding='ascii') as maps:
                self.assertNotIn('tricolor-stats', maps.read())
        self.json_of(self.collected(env={'TRICOLOR': 'stats=on'}).pid)

    def test_program_closes_all_descriptors(self):
        for linked in (False, True):
            p = self.collected(linked)
            self.json_of(p.pid)
            p.order('close')
            self.shows_nothing(p.pid)
            p.order('take')
            p.order('collect')
            self.assertEqual(p.order('taken'), 'ok', 'a descriptor of the program was closed')
            self.assertEqual(self.json_of(p.pid)['MemStats']['NumGC'], 2)
            with open(f'/proc/{p.pid}/maps', encoding='ascii') as maps:
                self.assertEqual(maps.read().count('tricolor-stats'), 1, 'the old page stays mapped')

    def test_file_size_limit(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        p = self.collected(preexec_fn=limit)
        self.shows_nothing(p.pid)

    def test_few_descriptors(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        p = self.collected(preexec_fn=limit)
        self.json_of(p.pid)

    # Children

    def test_child_has_its_own_page(self):
        for linked in (False, True):
            p = self.collected(linked)
            before = self.settled(p.pid)
            child = int(p.order('fork'))
            self.shows_nothing(child)
            links = [os.readlink(f'/proc/{child}/fd/{fd}') for fd in os.listdir(f'/proc/{child}/fd')]
            self.assertNotIn('/memfd:tricolor-stats (deleted)', links)
            p.order('percent 50')
            self.shows_nothing(child)
            p.order('collect')
            p.order('collect')
            self.assertEqual(self.json_of(child)['MemStats']['NumGC'], 3)
            self.assertEqual(self.json_of(p.pid)['MemStats'], before)
            self.assertEqual(p.order('end'), 'ok')  # the parent has waited for it
            p.order('collect')
            self.assertEqual(self.json_of(p.pid)['MemStats']['NumGC'], 2)

    def test_child_made_past_the_library(self):
        p = self.collected()
        before = self.settled(p.pid)
        child = int(p.order('raw'))
        self.shows_nothing(child)
        p.order('percent 50')
        self.shows_nothing(child)
        self.assertEqual(self.json_of(p.pid)['MemStats'], before)
        self.assertEqual(p.order('end'), 'ok')

    # Bad arguments and other processes

    def test_wrong_usage(self):
        for pid in ('0', '-1', 'abc', '', '12x', '99999999999999999999', '0x10', ' 1'):
            self.refused(2, ['number of a process' if pid != '-1' else 'unknown option'], pid)
        self.refused(2, ['one process'])
        self.refused(2, ['one process'], 1, 2)
        self.refused(2, ['--nosuch'], '--nosuch', 1)
        self.refused(2, ['--watch', 'needs a value'], '--watch')
        for seconds in ('0', '-1', 'x', '', '1s', 'nan', 'inf', '1e9', '0x1'):
            self.refused(2, ['--watch', 'seconds'], '--watch', seconds, 1)

    def test_help(self):
        r = cli('stats', '--help')
        self.assertEqual((r.returncode, r.stderr), (0, ''))
        for word in ('stats', '--json', '--watch', '--metrics'):
            self.assertIn(word, r.stdout)

    def test_other_processes(self):
        self.refused(1, ['no such process'], 2 ** 31 - 1)
        self.shows_nothing(os.getpid())
        child = subprocess.Popen(['true'])
        time.sleep(0.2)
        self.refused(1, ['has ended'], child.pid)
        child.wait()

    @unittest.skipUnless(os.getuid() == 0, 'needs root to be another user')
    def test_no_permission(self):
        p = self.collected()
        try:
            self.refused(1, ['no permission'], p.pid, user=NOBODY, group=NOBODY)
        except PermissionError:
            self.skipTest('the command cannot be executed by others here')

    # Pages that somebody else has made

    def page(self, magic=b'tristats', version=1, size=None, pid=None, sequence=2, sealed=True, length=65536):
        fd = os.memfd_create('tricolor-stats', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, length)
        size = self.page_size if size is None else size
        os.pwrite(fd, HEADER.pack(magic, version, size, os.getpid() if pid is None else pid, sequence, 0)[:length], 0)
        if sealed:
            fcntl.fcntl(fd, 1033, 2 | 4)  # F_ADD_SEALS: SHRINK, GROW
        return fd

    @property
    def page_size(self):
        """The size that the library writes."""
        p = self.collected()
        for fd in os.listdir(f'/proc/{p.pid}/fd'):
            if 'tricolor-stats' in os.readlink(f'/proc/{p.pid}/fd/{fd}'):
                with open(f'/proc/{p.pid}/fd/{fd}', 'rb') as f:
                    return HEADER.unpack(f.read(HEADER.size))[2]
        raise AssertionError('no page')

    def test_only_whole_pages_of_this_version(self):
        size, me = self.page_size, os.getpid()
        for bad in ({'magic': b'tristatx'}, {'pid': 1}, {'sealed': False}, {'length': 100}, {'length': 0, 'sealed': False}):
            self.page(**{'size': size, **bad})
            self.shows_nothing(me)
        self.page(size=size, version=7)
        self.refused(1, [f'process {me}: ', 'version 7', 'knows 1'], me)
        self.doCleanups()
        self.page(size=size + 8)
        self.refused(1, ['version 1'], me)

    def test_half_written_page(self):
        for sequence in (0, 5):
            self.page(sequence=sequence)
            self.refused(1, ['half written'], os.getpid())
            self.doCleanups()

    def test_names_are_cleaned(self):
        size, me = self.page_size, os.getpid()
        fd = self.page(size=size)
        at = size - 32 * 72  # TRI_STATS_PAGE_METRICS, struct tri_stats_page_metric
        os.pwrite(fd, b'a"\\\x1b[1m\n', at)
        shown = json.loads(cli('stats', '--json', me).stdout)
        self.assertEqual(shown['Metrics'], {'a???[1m?': 0})

    def test_page_is_for_reading(self):
        p = self.collected()
        for fd in os.listdir(f'/proc/{p.pid}/fd'):
            path = f'/proc/{p.pid}/fd/{fd}'
            if 'tricolor-stats' not in os.readlink(path):
                continue
            with open(path, 'r+b', buffering=0) as f:
                self.assertRaises(OSError, f.write, b'x')
                self.assertRaises(OSError, f.truncate, 0)
                self.assertRaises(OSError, mmap.mmap, f.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_WRITE)
            return
        self.fail('no page')

    # Watching

    def test_watch_ends_with_the_process(self):
        p = Program()
        p.order('collect')
        watch = subprocess.Popen([EXE, 'stats', '--watch', '0.1', str(p.pid)], env=ENV, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        time.sleep(0.5)
        p.order('collect')
        time.sleep(0.5)
        self.assertIsNone(watch.poll())
        p.child.send_signal(signal.SIGKILL)
        p.child.wait()
        out, err = watch.communicate(timeout=20)
        p.child.stdin.close()
        p.child.stdout.close()
        self.assertEqual((watch.returncode, err), (0, ''))
        counts = re.findall(r'^NumGC +(\d+) cycles$', out, re.M)
        self.assertGreaterEqual(len(counts), 4)
        self.assertEqual((counts[0], counts[-1]), ('1', '2'))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
