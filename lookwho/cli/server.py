"""The web server's process: started, watched and started again by `lookwho serve`.

The parent opens the socket and hands it down. So the port stays taken while the process is
replaced, and whoever calls in between waits a moment instead of being refused.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time

from lookwho.core.child import fresh_interpreter, same_modules
from lookwho.core.errors import SettingInvalid

# A process that lives shorter than this did not really start.
STARTS_WITHIN = 5.0
GIVES_UP_AFTER = 5


def listen(host: str, port: int | None) -> socket.socket:
    """Return a socket that listens; without a port the first free one of 8000 to 8019.

    Raises:
        SettingInvalid: the port is taken, or may not be used.
    """
    problem = ""
    for candidate in [port] if port is not None else range(8000, 8020):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, candidate))
            listener.listen(1024)
            return listener
        except OSError as error:
            listener.close()
            problem = error.strerror or str(error)
        except OverflowError as error:
            listener.close()
            problem = str(error)
    where = f"{host}:{port}" if port is not None else f"{host}, ports 8000 to 8019"
    raise SettingInvalid(f"cannot listen on {where}: {problem}; choose another with --port")


class Server:
    """The web server's process."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._failures = 0

    def watch(self) -> None:
        """Start the process where it does not run.

        Raises:
            SettingInvalid: it does not start, however often it is tried.
        """
        if self._process and self._process.poll() is None:
            return
        if self._process:
            short = time.monotonic() - self._started < STARTS_WITHIN
            self._failures = self._failures + 1 if short else 0
            if self._failures >= GIVES_UP_AFTER:
                raise SettingInvalid("the web server does not start; what it said is above")
            time.sleep(min(0.2 * self._failures, 1))
        self._process = subprocess.Popen(
            fresh_interpreter("from lookwho.cli.server import run; run()"),
            stdin=subprocess.PIPE,
            pass_fds=[self._listener.fileno()],
            env={
                **os.environ,
                **same_modules(),
                "LOOKWHO_LISTENER": str(self._listener.fileno()),
            },
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends all in order
        )
        self._started = time.monotonic()

    @property
    def pid(self) -> int | None:
        """The process's number, while there is one."""
        return self._process.pid if self._process else None

    def stop(self, patience: float = 5.0) -> None:
        """End the process: requests under way may finish, for a few seconds."""
        if not self._process:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._process = None


def run() -> None:
    """Be the web server until the parent ends, or tells to."""
    import uvicorn  # an extra

    listener = socket.socket(fileno=int(os.environ.pop("LOOKWHO_LISTENER")))
    config = uvicorn.Config(
        "lookwho.config.asgi:application",
        log_level="warning",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)

    def end_with_parent() -> None:
        # Nothing is ever written: a read ends when the parent does, however it ends.
        with contextlib.suppress(OSError):
            sys.stdin.buffer.read()
        server.should_exit = True

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.run(sockets=[listener])
