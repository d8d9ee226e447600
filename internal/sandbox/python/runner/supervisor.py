"""Keeps one child, and leaves no process behind.

As a program, `supervisor.py COMMAND…` runs the command and ends with its exit code or by its signal. When its stdin
closes, or SIGTERM, SIGINT or SIGHUP comes, the command and all its descendants are ended. The one who started it holds
the other end of stdin, so that they end with it however it dies. It is a program of the standard library alone, to be
run with -I -S.
"""

import ctypes
import os
import resource
import select
import signal
import subprocess
import sys
import time

GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_PATIENCE = 10.0  # seconds for processes that the kernel does not let go
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform.startswith("linux")


def prctl(option, value):
    """Sets an attribute of this process, where there is such a thing."""
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def keep(lifeline, child):
    """Runs child() in a process of its own and returns its wait status, when it and all its descendants are gone.

    They are ended when the child ends, when the descriptor lifeline reads end of file, or at a signal. child never
    returns into the caller's code. Where the system is Linux this process adopts what its descendants orphan, so that
    a daemon is found too; elsewhere a daemon that left its session and its parent escapes.
    """
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    told = []
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: told.append(number))
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_child(parent, child, (woken, wake, lifeline))
    statuses = {}
    while not told and pid not in statuses:
        _reap(statuses)
        if pid in statuses:
            break
        ready, _, _ = select.select([lifeline, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        if lifeline in ready and not _more(lifeline):
            break
    _end_descendants(pid, statuses)
    return statuses.get(pid, signal.SIGKILL)


def _be_child(parent, child, descriptors):
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in descriptors:
            os.close(descriptor)
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            child()
    except BaseException as e:
        os.write(2, f"supervisor: {e}\n".encode(errors="replace"))
    os._exit(127)


def _more(lifeline):
    try:
        return os.read(lifeline, 4096)
    except OSError:
        return b""


def _reap(statuses):
    """Collects who has ended, and says whether this process has children left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def _end_descendants(child, statuses):
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, _PATIENCE)):
        until, signalled, pause = time.monotonic() + patience, set(), 0.001
        while True:
            children = _reap(statuses)
            found = descendants(os.getpid(), child)
            # A process is missed by the listing when its parent ends under it. Where this process adopts orphans, to
            # have no children is to have no descendants, and the only proof of it.
            if not (children if _LINUX else found) or time.monotonic() > until:
                break
            for pid in found - signalled:
                _signal(pid, number)
                signalled.add(pid)
            time.sleep(pause)
            pause = min(2 * pause, 0.05)


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except OSError:
        pass  # gone by itself, or not ours any more


def descendants(*roots):
    """Returns the pids of all living processes below the roots, and in the groups that these lead."""
    below = {}
    for pid, parent, group in _processes():
        below.setdefault(parent, set()).add(pid)
        below.setdefault(group, set()).add(pid)
    found, todo = set(), list(roots)
    while todo:
        new = below.get(todo.pop(), set()) - found
        found |= new
        todo += new
    return found - {os.getpid()}


def _processes():
    if not _LINUX:
        ps = subprocess.Popen(["ps", "-axo", "pid=,ppid=,pgid=,stat="], stdout=subprocess.PIPE, text=True)
        for line in ps.communicate()[0].splitlines():
            pid, parent, group, state = line.split()[:4]
            if not state.startswith("Z") and int(pid) != ps.pid:
                yield int(pid), int(parent), int(group)
        return
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as f:
                state, parent, group = f.read().rpartition(b")")[2].split()[:3]
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            yield int(name), int(parent), int(group)


def end_as(status):
    """Ends this process as the status says that another one did."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main():
    os.setsid()  # what a terminal sends to the starter's group is not for the command
    command = sys.argv[1:]
    lifeline = os.dup(0)

    def child():
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.closerange(lifeline, lifeline + 1)
        try:
            os.execvp(command[0], command)
        except OSError as e:
            raise RuntimeError(f"starting {command[0]}: {e.strerror}") from None

    end_as(keep(lifeline, child))


if __name__ == "__main__":
    main()
