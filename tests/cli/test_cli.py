#!/usr/bin/env python3
"""The tricolor command: options, environment, what it says where preloading cannot apply, status and signals."""
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import unittest

EXE, PROBE, STATIC, FAKE, OTHER = map(os.path.abspath, sys.argv[1:6])
LIBDIR = sys.argv[6]
SETTINGS = ('LD_PRELOAD', 'GODEBUG', 'GOGC', 'GOMEMLIMIT', 'TRICOLOR', 'TRICOLOR_BALLAST', 'TRICOLOR_LIBRARY')
NOBODY = 65534


def no_new_privs():
    with open('/proc/self/status', encoding='ascii') as f:
        return any(line.split() == ['NoNewPrivs:', '1'] for line in f)


def content(path):
    with open(path, 'rb') as f:
        return f.read()


class Cli(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='tri-cli-')
        os.chmod(self.dir, 0o755)
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text, mode=0o755):
        with open(self.path(name), 'wb') as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(self.path(name), mode)
        return self.path(name)

    def copy(self, source, name, mode=0o755):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        shutil.copyfile(source, self.path(name))
        os.chmod(self.path(name), mode)
        return self.path(name)

    def run_cli(self, *args, env=None, exe=EXE, library=FAKE, **kw):
        e = {k: v for k, v in os.environ.items() if k not in SETTINGS}
        if library:
            e['TRICOLOR_LIBRARY'] = library
        # A command built with AddressSanitizer would refuse the preloads that some tests give it.
        e['ASAN_OPTIONS'] = 'verify_asan_link_order=0'
        e.update(env or {})
        return subprocess.run([exe, *args], env=e, capture_output=True, text=True, timeout=30, check=False, **kw)

    def variables(self, *options, env=None):
        """The environment that a program gets."""
        r = self.run_cli('run', *options, '/usr/bin/env', '-0', env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stderr, '')
        return dict(v.split('=', 1) for v in r.stdout.split('\0') if v)

    def refused(self, status, words, *args, **kw):
        """One line on stderr with all the words, nothing on stdout."""
        r = self.run_cli(*args, **kw)
        self.assertEqual(r.returncode, status, r.stderr)
        self.assertEqual(r.stdout, '')
        self.assertEqual(r.stderr.count('\n'), 1, r.stderr)
        self.assertTrue(r.stderr.startswith('tricolor: '), r.stderr)
        for word in words:
            self.assertIn(word, r.stderr)

    # Commands and options

    def test_help_and_version(self):
        for args in (['--help'], ['-h'], ['help'], ['run', '--help']):
            r = self.run_cli(*args)
            self.assertEqual((r.returncode, r.stderr), (0, ''))
            for word in ('--gogc', '--memlimit', '--ballast', '--free', '--collect', '--trace', '--log', 'Exit status'):
                self.assertIn(word, r.stdout)
        for args in (['version'], ['--version']):
            r = self.run_cli(*args)
            self.assertEqual(r.returncode, 0)
            self.assertRegex(r.stdout, r'^tricolor \d+\.\d+\.\d+\n$')

    def test_wrong_usage(self):
        self.refused(2, ['--help'])
        self.refused(2, ['frobnicate', 'run'], 'frobnicate')
        self.refused(2, ['needs a program'], 'run')
        self.refused(2, ['needs a program'], 'run', '--trace', '--')
        self.refused(2, ['--nosuch'], 'run', '--nosuch', PROBE)
        self.refused(2, ['--gogc', 'needs a value'], 'run', '--gogc')

    def test_bad_values(self):
        self.refused(2, ['--gogc', '50%', 'off'], 'run', '--gogc', '50%', PROBE)
        self.refused(2, ['--memlimit', '1GB', 'auto'], 'run', '--memlimit', '1GB', PROBE)
        self.refused(2, ['--ballast', '1GB', 'GiB'], 'run', '--ballast', '1GB', PROBE)
        self.refused(2, ['--free', 'now', 'ignore', 'later'], 'run', '--free=later', PROBE)
        self.refused(2, ['--collect', 'on', 'off', 'maybe'], 'run', '--collect', 'maybe', PROBE)
        self.refused(2, ['--log', 'comma'], 'run', '--log', 'a,collect=off', PROBE)
        self.refused(2, ['--log'], 'run', '--log', '', PROBE)
        self.refused(2, ['--log'], 'run', '--log', 'x' * 512, PROBE)

    def test_options_become_settings(self):
        v = self.variables('--gogc', '50', '--memlimit', 'auto', '--ballast', '4GiB', '--free', 'ignore', '--collect', 'off',
                           '--trace', '--log', '/tmp/x.%p', '--')
        self.assertEqual(v['GOGC'], '50')
        self.assertEqual(v['GOMEMLIMIT'], 'auto')
        self.assertEqual(v['TRICOLOR'], 'ballast=4GiB,free=ignore,collect=off,log=/tmp/x.%p')
        self.assertEqual(v['GODEBUG'], 'gctrace=1')
        self.assertEqual(v['LD_PRELOAD'], os.path.realpath(FAKE))

    def test_no_options_set_only_the_library(self):
        v = self.variables()
        self.assertEqual([k for k in SETTINGS if k in v], ['LD_PRELOAD', 'TRICOLOR_LIBRARY'])

    def test_options_win_over_the_environment_and_keep_the_rest(self):
        v = self.variables('--gogc=off', '--free=now', '--trace',
                           env={'GOGC': '10', 'TRICOLOR': 'free=ignore,signal=40', 'GODEBUG': 'gctrace=0,clobberfree=1'})
        self.assertEqual(v['GOGC'], 'off')
        self.assertEqual(v['TRICOLOR'], 'free=ignore,signal=40,free=now')
        self.assertEqual(v['GODEBUG'], 'gctrace=0,clobberfree=1,gctrace=1')

    def test_empty_lists_get_no_leading_comma(self):
        v = self.variables('--free=now', '--trace', env={'TRICOLOR': '', 'GODEBUG': ''})
        self.assertEqual((v['TRICOLOR'], v['GODEBUG']), ('free=now', 'gctrace=1'))

    # Running

    def test_library_is_in_and_arguments_pass_untouched(self):
        r = self.run_cli('run', PROBE, '--trace', '', 'a b', '--')
        self.assertEqual(r.stdout.split('\n'), ['ours -', PROBE, '--trace', '', 'a b', '--', ''])

    def test_existing_preload_stays_behind_ours(self):
        for old in (OTHER, OTHER + ' ' + FAKE, ':' + OTHER):
            v = self.variables(env={'LD_PRELOAD': old})
            self.assertEqual(v['LD_PRELOAD'], os.path.realpath(FAKE) + ':' + OTHER)
        r = self.run_cli('run', PROBE, env={'LD_PRELOAD': OTHER})
        self.assertEqual(r.stdout.split('\n')[0], 'ours other')

    def test_status_and_signals_pass(self):
        self.assertEqual(self.run_cli('run', PROBE, 'exit', '37').returncode, 37)
        self.assertEqual(self.run_cli('run', PROBE, 'signal', '15').returncode, -signal.SIGTERM)

    def test_program_is_searched_in_path(self):
        self.copy(PROBE, 'a/prog', mode=0o644)
        self.copy(PROBE, 'b/prog')
        path = self.path('nosuch') + ':' + self.path('a') + ':' + self.path('b')
        r = self.run_cli('run', 'prog', env={'PATH': path})
        self.assertEqual(r.stdout.split('\n')[:2], ['ours -', 'prog'])
        r = self.run_cli('run', 'prog', env={'PATH': '/nosuch:'}, cwd=self.path('b'))
        self.assertEqual(r.returncode, 0, 'an empty element of PATH is the current directory')
        if os.getuid() != 0:
            self.refused(126, ['prog', 'not executable'], 'run', 'prog', env={'PATH': self.path('a')})

    # Where it cannot

    def test_missing_program(self):
        self.refused(127, ['no-such-program', 'not found'], 'run', 'no-such-program')
        self.refused(127, ['/nosuch/prog', 'not found'], 'run', '/nosuch/prog')
        self.refused(127, ['not found'], 'run', '')

    def test_not_executable(self):
        self.refused(126, ['plain', 'not executable'], 'run', self.write('plain', 'hello', 0o644))
        self.refused(126, ['not executable', 'irectory'], 'run', self.dir)
        self.refused(126, ['neither', '#!'], 'run', self.write('text', 'echo hi\n'))
        self.refused(126, ['not executable'], 'run', self.write('empty', ''))
        self.refused(126, ['not executable'], 'run', self.write('cut', content(PROBE)[:40]))

    def test_static_program(self):
        self.refused(2, [STATIC, 'static'], 'run', STATIC)

    def patched(self, name, offset, data):
        image = bytearray(content(PROBE))
        image[offset:offset + len(data)] = data
        return self.write(name, bytes(image))

    def test_other_word_size_and_architecture(self):
        self.refused(2, ['32-bit'], 'run', self.patched('elf32', 4, b'\1'))
        self.refused(2, ['architecture', '243'], 'run', self.patched('riscv', 18, struct.pack('<H', 243)))
        self.refused(2, ['architecture'], 'run', self.patched('big', 5, b'\2'))

    def test_musl_program(self):
        image = content(PROBE)
        at = image.index(b'/ld-linux')
        self.refused(2, ['musl'], 'run', self.patched('musl', at, b'/ld-musl-'))

    def needs_privileged_files(self):
        if no_new_privs() or os.statvfs(self.dir).f_flag & os.ST_NOSUID:
            self.skipTest('set-user-id files have no effect here')
        if os.getuid() != 0:
            self.skipTest('needs root to make files of another user')

    def owned(self, name, uid, gid, mode):
        path = self.copy(PROBE, name)
        os.chown(path, uid, gid)
        os.chmod(path, mode)
        return path

    def test_set_id_of_others_is_refused_own_is_not(self):
        self.needs_privileged_files()
        self.refused(2, ['set-user-id'], 'run', self.owned('su', NOBODY, 0, 0o4755))
        self.refused(2, ['set-group-id'], 'run', self.owned('sg', 0, NOBODY, 0o2755))
        for name, uid, gid, mode in (('own', 0, 0, 0o6755), ('lock', 0, NOBODY, 0o2745)):
            r = self.run_cli('run', self.owned(name, uid, gid, mode))
            self.assertEqual(r.stdout.split('\n')[0], 'ours -', 'preloading does work here')

    def test_set_user_id_is_really_ignored_by_the_loader(self):
        self.needs_privileged_files()
        e = {'LD_PRELOAD': os.path.realpath(FAKE)}
        r = subprocess.run([self.owned('su', NOBODY, 0, 0o4755)], env=e, capture_output=True, text=True, check=False)
        self.assertEqual(r.stdout.split('\n')[0], '- -')

    def test_file_capabilities_matter_unless_root(self):
        self.needs_privileged_files()
        path = self.copy(PROBE, 'caps')
        raw_net = struct.pack('<IIIII', 0x02000001, 1 << 13, 0, 0, 0)
        try:
            os.setxattr(path, 'security.capability', raw_net)
        except OSError as e:
            self.skipTest(f'no file capabilities here: {e}')
        exe, library = self.copy(EXE, 'tri'), self.copy(FAKE, 'fake.so')
        self.refused(2, ['capabilities'], 'run', path, exe=exe, library=library, user=NOBODY, group=NOBODY)
        self.assertEqual(self.run_cli('run', path).stdout.split('\n')[0], 'ours -')

    def test_set_user_id_of_the_system(self):
        if os.getuid() == 0 or no_new_privs():
            self.skipTest('for ordinary users')
        for path in ('/usr/bin/su', '/usr/bin/passwd'):
            if os.path.exists(path) and os.stat(path).st_mode & stat.S_ISUID:
                self.refused(2, ['set-user-id'], 'run', path)

    # Scripts

    def test_scripts_run_and_interpreters_count(self):
        r = self.run_cli('run', self.write('ok', f'#! {PROBE} one two\n'), 'three')
        self.assertEqual(r.stdout.split('\n')[:-1], ['ours -', PROBE, 'one two', self.path('ok'), 'three'])
        self.refused(2, [STATIC, 'static'], 'run', self.write('st', f'#!{STATIC}\n'))
        self.refused(2, [STATIC, 'static'], 'run', self.write('chain', f'#!{self.path("st")}\n'))
        self.refused(127, ['bad', '/nosuch/interp'], 'run', self.write('bad', '#!/nosuch/interp -x\n'))
        self.refused(126, ['empty #!'], 'run', self.write('none', '#!\n'))
        self.refused(126, ['too deep'], 'run', self.write('loop', f'#!{self.path("loop")}\n'))

    def test_env_in_scripts(self):
        self.copy(STATIC, 'stat1c')
        self.copy(PROBE, 'dynam1c')
        env = {'PATH': self.dir + ':/usr/bin:/bin'}
        for line in ('env stat1c', 'env -S stat1c -x', 'env -Sstat1c', 'env -S -i A=b stat1c', 'env -S -u HOME stat1c'):
            self.refused(2, ['static'], 'run', self.write('e', f'#!/usr/bin/{line}\n'), env=env)
        r = self.run_cli('run', self.write('d', '#!/usr/bin/env dynam1c\n'), env=env)
        self.assertEqual(r.stdout.split('\n')[0], 'ours -')
        self.refused(127, ['nosuch1', 'not found'], 'run', self.write('m', '#!/usr/bin/env nosuch1\n'), env=env)

    # The library

    def test_library_named_wrongly(self):
        self.refused(2, ['TRICOLOR_LIBRARY=/nosuch.so'], 'run', PROBE, library='/nosuch.so')
        self.refused(2, ['space'], 'run', PROBE, library=self.copy(FAKE, 'a b.so'))

    def found_from(self, exe_name, library_name):
        exe = self.copy(EXE, exe_name)
        library = self.copy(FAKE, library_name)
        r = self.run_cli('run', '/usr/bin/env', exe=exe, library=None)
        self.assertIn('LD_PRELOAD=' + os.path.realpath(library), r.stdout.split('\n'), r.stderr)

    def test_library_found_in_a_build_tree(self):
        self.found_from('tools/cli/tricolor', 'gc/libtricolor-malloc.so')

    def test_library_found_in_a_moved_prefix(self):
        if not os.path.isabs(LIBDIR):
            self.found_from('p/bin/tricolor', f'p/{LIBDIR}/libtricolor-malloc.so')
        self.found_from('q/bin/tricolor', 'q/lib/libtricolor-malloc.so')

    def test_strangers_directory_is_no_build_tree(self):
        exe = self.copy(EXE, 'user/bin/tricolor')
        self.copy(FAKE, 'gc/libtricolor-malloc.so')
        r = self.run_cli('run', '/usr/bin/env', exe=exe, library=None)
        self.assertNotIn(self.dir + '/gc', r.stdout)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
