"""A process that has imported what run.py imports, and forks a server for whoever asks.

Most of a start is the importing; a suite that starts hundreds of servers would spend most of its
time on that. A server that is forked here goes on where run.py calls `main`: with an environment,
a folder and an output of its own. `python nursery.py <path>` listens on a Unix socket at that path.
A request is a line of JSON; the answers are a line with the pid, and in the end one with the code.
"""

from __future__ import annotations

# As they are beneath what eventlet and gevent put in their places: those would wake a hub here.
import _socket
import gc
import json
import os
import posix
import sys
import traceback
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).parent.parent.parent)

LOOK_S = 5.0  # after whoever started this one


def main(path: str) -> None:
    """Serve until whoever started this has gone."""
    parent = os.getppid()
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(f"{path}.new")
    listener.listen(8)
    os.rename(f"{path}.new", path)  # whoever sees it there can connect
    import run  # patches as its first act, then imports all the rest

    gc.collect()
    gc.freeze()
    listener.settimeout(LOOK_S)
    while os.getppid() == parent:
        try:
            asked, _ = listener._accept()
        except TimeoutError:
            _reap()
            continue
        os.set_blocking(asked, True)
        if posix.fork() == 0:
            listener.close()
            _keep(asked, run.main)
        posix.close(asked)
        _reap()


def _reap() -> None:
    """Let those rest whose servers have ended."""
    try:
        while posix.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def _keep(asked: int, serve: Any) -> None:
    """Fork the server, and tell how it ends. Does not return."""
    request = b""
    while not request.endswith(b"\n"):
        more = posix.read(asked, 65_536)
        if not more:
            os._exit(0)
        request += more
    told = json.loads(request)
    server = posix.fork()
    if server == 0:
        posix.close(asked)
        _renew_hub()
        _become(told, serve)
    try:
        posix.write(asked, b"%d\n" % server)
        _, status = posix.waitpid(server, 0)
        posix.write(asked, b"%d\n" % os.waitstatus_to_exitcode(status))
    except OSError:  # nobody wants to know any more
        pass
    os._exit(0)


def _renew_hub() -> None:
    """Leave the hub that was made before the fork: its epoll is one for all who have it."""
    if "eventlet" in sys.modules:
        from eventlet import hubs

        assert not hubs.get_hub().running
        hubs.use_hub()
    else:
        import gevent

        gevent.reinit()


def _become(told: dict[str, Any], serve: Any) -> None:
    """Be the server. Does not return."""
    os.environ.clear()
    os.environ.update(told["environ"])
    os.chdir(told["folder"])
    output = posix.open(told["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    gc.unfreeze()
    code: Any = 1
    try:
        code = serve()
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    main(sys.argv[1])
