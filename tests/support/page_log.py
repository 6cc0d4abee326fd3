"""What the log of a run with TRICOLOR=barrier=page and GODEBUG=gctrace=2 must show."""
import ctypes
import os
import re

BARRIER = re.compile(r'^tricolor: version \S+, barrier=(\w+) \((.*)\)$', re.M)
MARKED_BESIDE = re.compile(r'^gc \d+ @\S+s \d+%: \S+\+(\S+)\+\S+ ms clock, \S+\+[^/]*/([^/]+)/', re.M)
ASSISTED = re.compile(r'^gc \d+ @\S+s \d+%: \S+ ms clock, [^+]+\+([^/]+)/', re.M)
DIRTY = re.compile(r'^tricolor: gc \d+ page: \d+ KiB tracked, dirty KiB ([\d ]+)', re.M)


def userfaultfd_is_refused():
    """As in most containers."""
    number = {'x86_64': 323, 'aarch64': 282}.get(os.uname().machine)
    user_mode_only = 1
    fd = ctypes.CDLL(None, use_errno=True).syscall(number, user_mode_only | os.O_CLOEXEC) if number else -1
    if fd >= 0:
        os.close(fd)
    return fd < 0


def kernel_may_lack_it():
    """PAGEMAP_SCAN came with Linux 6.7."""
    numbers = [int(n) for n in re.findall(r'\d+', os.uname().release)[:2]]
    return numbers < [6, 7] or userfaultfd_is_refused()


def faults(log, at_work=True, assisted=False):
    """Yields what is wrong; at_work: some cycle must have marked beside the program, and found dirty pages; assisted:
    threads must have helped with that."""
    names = BARRIER.findall(log)
    if not names or any(name != 'page' for name, _ in names):
        yield f'the log names another barrier than page: {names}'
    if not at_work:
        return
    cycles = DIRTY.findall(log)
    if not cycles:
        yield 'no collection marked beside the program'
    elif not any(int(n) for rounds in cycles for n in rounds.split()):
        yield 'no dirty page was seen'
    if not any(float(clock) > 0 and float(cpu) > 0 for clock, cpu in MARKED_BESIDE.findall(log)):
        yield 'no time was spent marking beside the program'
    if assisted and not any(float(cpu) > 0 for cpu in ASSISTED.findall(log)):
        yield 'no thread has assisted'
