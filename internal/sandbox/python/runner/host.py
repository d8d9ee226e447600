"""Forks a process for each notebook to be run, out of an interpreter that has its libraries loaded already.

A connection is one run: the client sends the path of its request and a newline; "started" and, at the end, the child's
wait status come back, a line each. The client closes its side to have the run and all its descendants ended; the
connection's end says that they are gone.

The host itself only imports. It computes nothing (a thread pool does not survive a fork), opens no connection, no
database and no shell, so that what it forks is as fresh as a new process.
"""

import os
import signal
import socket

from . import supervisor


def serve(handed, run):
    """Forks a keeper for each connection, until there are none.

    run(request path) runs in a process of its own and never returns.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are not waited for
    while (connection := handed.accept()) is not None:
        if os.fork() == 0:
            try:
                handed.close()
                _keep(connection, run)
            finally:
                os._exit(1)
        connection.close()


def _keep(connection, run):
    supervisor.prctl(supervisor.PR_SET_PDEATHSIG, signal.SIGTERM)
    request = b""
    while not request.endswith(b"\n"):
        data = connection.recv(4096)
        if not data:
            os._exit(0)
        request += data
    connection.sendall(b"started\n")
    lifeline = connection.detach()
    status = supervisor.keep(lifeline, lambda: run(os.fsdecode(request[:-1])))
    try:
        os.write(lifeline, b"%d\n" % status)
    except OSError:
        pass  # the client has gone
    os._exit(0)


def call(connection, request):
    """Asks for a run and returns its wait status. None: the host is gone."""
    connection.sendall(os.fsencode(request) + b"\n")
    lines = _rest(connection).split()
    return int(lines[1]) if len(lines) > 1 else None


def end(connection):
    """Ends the run and returns when it is gone."""
    connection.settimeout(None)
    connection.shutdown(socket.SHUT_WR)
    _rest(connection)


def _rest(connection):
    answer = b""
    while data := connection.recv(4096):
        answer += data
    return answer


class Spare:
    """A process forked off before a notebook begins, out of which the notebooks that it starts are forked."""

    def __init__(self, run):
        self._ours, theirs = socket.socketpair()
        if os.fork() == 0:
            try:
                self._ours.close()
                supervisor.prctl(supervisor.PR_SET_PDEATHSIG, signal.SIGKILL)
                serve(Handed(theirs), run)
            finally:
                os._exit(0)
        theirs.close()

    def connect(self):
        """Returns the connection of a new run."""
        ours, theirs = socket.socketpair()
        socket.send_fds(self._ours, [b"\0"], [theirs.fileno()])
        theirs.close()
        return ours


class Handed:
    """Yields the connections that are handed to it as descriptors: no path, so nobody else can connect."""

    def __init__(self, through):
        self._through = through

    def accept(self):
        _, descriptors, _, _ = socket.recv_fds(self._through, 1, 1)
        return socket.socket(fileno=descriptors[0]) if descriptors else None

    def close(self):
        self._through.close()
