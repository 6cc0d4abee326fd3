#!/usr/bin/env python3
"""Run one of Debian's programs plainly and on our heap, and compare what it prints (or, for redis, what it stores).

usage: run_real.py lua|sqlite|jq|redis now|ignore|page LIBRARY
The second argument is the setting of free; with "ignore" GOGC is 25. "page" is "ignore" with barrier=page: the log must
show marking beside the program. A run that never collected is a failure: it proved
nothing. Exits with 77 if the program is not installed. Only the program sees the settings.
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))

import page_log  # noqa: E402  # beside run_preloaded.py

PROGRAMS = {'lua': ['lua5.4', 'work.lua'], 'sqlite': ['sqlite3', ':memory:', '.read work.sql'],
            'jq': ['jq', '-n', '-f', 'work.jq'], 'redis': ['redis-server']}
SETTINGS = ('LD_PRELOAD', 'GODEBUG', 'GOGC', 'GOMEMLIMIT', 'TRICOLOR', 'TRICOLOR_BALLAST', 'MALLOC_PERTURB_')
# With free honoured the heap stays small, so the cycles are asked for.
OURS = {'now': {'GOGC': '25', 'TRICOLOR': 'free=now,stress=2MiB'}, 'ignore': {'GOGC': '25', 'TRICOLOR': 'free=ignore'},
        'page': {'GOGC': '25', 'TRICOLOR': 'free=ignore,barrier=page'}}
LIMIT_S = 80


class Failed(Exception):
    pass


def plain_environment():
    return {k: v for k, v in os.environ.items() if k not in SETTINGS}


def our_environment(library, setting, log):
    env = plain_environment()
    env.update(OURS[setting])
    env['TRICOLOR'] += ',log=' + log
    env.update(LD_PRELOAD=library, GODEBUG='gctrace=2,clobberfree=1')
    return env


def run_once(command, env):
    done = subprocess.run(command, env=env, cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)
    if done.returncode != 0 or done.stderr:
        raise Failed(f'{command[0]} ended with {done.returncode}; stderr: {done.stderr[-2000:].decode(errors="replace")}')
    return done.stdout.decode()


class Redis:
    """A redis-server on a socket of its own, and the few commands that the test needs."""

    def __init__(self, env, folder):
        self.path = os.path.join(folder, 'socket')
        with open(os.path.join(folder, 'output'), 'wb') as out:
            self.server = subprocess.Popen(
                ['redis-server', '--port', '0', '--unixsocket', self.path, '--dir', folder, '--save', '',
                 '--appendonly', 'no', '--enable-debug-command', 'yes', '--daemonize', 'no'],
                env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self.connection = self.connect()
        self.replies = self.connection.makefile('rb')

    def connect(self):
        for _ in range(200):
            try:
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(LIMIT_S)
                s.connect(self.path)
                return s
            except OSError:
                if self.server.poll() is not None:
                    raise Failed(f'redis-server ended with {self.server.returncode} at its start')
                time.sleep(0.05)
        raise Failed('redis-server does not listen')

    @staticmethod
    def encode(args):
        parts = [str(a).encode() for a in args]
        return b'*%d\r\n' % len(parts) + b''.join(b'$%d\r\n%s\r\n' % (len(p), p) for p in parts)

    def reply(self):
        line = self.replies.readline()
        if not line:
            raise Failed('redis-server closed the connection')
        kind, rest = line[:1], line[1:-2]
        if kind == b'-':
            raise Failed('redis-server answered ' + rest.decode())
        if kind == b'$':
            return None if rest == b'-1' else self.replies.read(int(rest) + 2)[:-2].decode()
        if kind == b'*':
            return [self.reply() for _ in range(int(rest))]
        return rest.decode()

    def call(self, *args):
        self.connection.sendall(self.encode(args))
        return self.reply()

    def pipeline(self, commands):
        for at in range(0, len(commands), 500):
            batch = commands[at:at + 500]
            self.connection.sendall(b''.join(map(self.encode, batch)))
            for _ in batch:
                self.reply()

    def stop(self):
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
            try:
                self.server.wait(20)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        return self.server.returncode


def redis_commands():
    for i in range(6000):
        key, n = f'{i * 7919 % 2003}', i * 104729 % 10007
        yield ('SET', 's' + key, 'x' * (n % 300) + str(i))
        yield ('APPEND', 's' + key, 'y' * (n % 90))
        yield ('RPUSH', 'l' + str(i % 17), 'item' + str(n))
        yield ('HSET', 'h' + str(i % 41), 'f' + str(n), 'v' * (n % 50))
        yield ('ZADD', 'z' + str(i % 7), n, 'm' + key)
        yield ('SADD', 'e' + str(i % 29), n)
        if i % 5 == 0:
            yield ('DEL', f's{i * 31 % 2003}')
            yield ('LPOP', 'l' + str(i % 17))


def redis_benchmark(path):
    tests = 'set,get,incr,lpush,rpop,sadd,hset,spop,zadd,lrange_100,mset'
    done = subprocess.run(['redis-benchmark', '-s', path, '--dbnum', '1', '-n', '20000', '-r', '5000', '-P', '8', '-q',
                           '-d', '200', '-t', tests], env=plain_environment(), capture_output=True, timeout=LIMIT_S)
    text = done.stdout.decode(errors='replace')
    if done.returncode != 0 or 'rror' in text:
        raise Failed(f'redis-benchmark ended with {done.returncode}: {text[-1000:]}')


def background_save(redis):
    redis.call('BGSAVE')
    for _ in range(400):
        info = redis.call('INFO', 'persistence')
        if 'rdb_bgsave_in_progress:0' in info:
            break
        time.sleep(0.05)
    if 'rdb_bgsave_in_progress:0' not in info or 'rdb_last_bgsave_status:ok' not in info:
        raise Failed('background save (a fork) failed')


def run_redis(command, env):
    del command
    with tempfile.TemporaryDirectory() as folder:
        redis = Redis(env, folder)
        try:
            redis.pipeline(list(redis_commands()))
            first = redis.call('DEBUG', 'DIGEST')
            redis_benchmark(redis.path)
            background_save(redis)
            redis.call('SELECT', 1)
            redis.call('FLUSHDB')
            redis.call('SELECT', 0)
            if redis.call('DEBUG', 'DIGEST') != first:
                raise Failed('the data changed under load')
            redis.call('DEBUG', 'RELOAD')
            lines = [first, redis.call('DEBUG', 'DIGEST'), str(redis.call('LRANGE', 'l3', 0, -1)),
                     str(redis.call('ZRANGE', 'z3', 0, -1))]
        finally:
            status = redis.stop()
            output = open(os.path.join(folder, 'output'), errors='replace').read()
        if status != 0:
            raise Failed(f'redis-server ended with {status}: {output[-3000:]}')
    return '\n'.join(lines)


def read(log):
    return open(log, errors='replace').read() if os.path.exists(log) else ''


def compare(program, setting, library):
    run = run_redis if program == 'redis' else run_once
    expected = run(PROGRAMS[program], plain_environment())
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, 'log')
        env = our_environment(library, setting, log)
        print('settings:', ' '.join(f'{k}={env[k]}' for k in SETTINGS if k in env), ' '.join(PROGRAMS[program]))
        got = run(PROGRAMS[program], env)
        text = read(log)
    count = len(re.findall(r'^gc \d+ @', text, re.M))
    if got != expected:
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        raise Failed(f'different output at character {at}: {got[at:at + 80]!r}; plain: {expected[at:at + 80]!r}')
    if count < 3:
        raise Failed(f'{count} collections')
    faults = list(page_log.faults(text)) if setting == 'page' else []
    if faults:
        raise Failed('; '.join(faults))
    print(f'equal output, {count} collections')


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in PROGRAMS or sys.argv[2] not in OURS:
        print(__doc__, file=sys.stderr)
        return 2
    program, setting, library = sys.argv[1:]
    if setting == 'page' and page_log.kernel_may_lack_it():
        print('this kernel has no page barrier')
        return 77
    for needed in [PROGRAMS[program][0]] + (['redis-benchmark'] if program == 'redis' else []):
        if shutil.which(needed) is None:
            print(needed + ' is not installed')
            return 77
    try:
        compare(program, setting, library)
    except (Failed, subprocess.TimeoutExpired, OSError) as failure:
        print('FAILED:', failure)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
