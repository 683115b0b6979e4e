"""Nothing that the tests run may leave the machine; here the guard itself is tried."""

import os
import socket
import subprocess
import sys
import threading

import pytest
from refuse_network import NetworkRefused

ELSEWHERE = ("192.0.2.1", 9)  # an address that RFC 5737 keeps free for examples


def test_a_connection_elsewhere_is_refused():
    with socket.socket() as caller, pytest.raises(NetworkRefused):
        caller.connect(ELSEWHERE)


def test_a_datagram_to_elsewhere_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as caller, pytest.raises(NetworkRefused):
        caller.sendto(b"hello", ELSEWHERE)


@pytest.mark.parametrize("name", ("example.org", b"example.org", "192.0.2.1"))
def test_looking_up_a_name_is_refused(name):
    with pytest.raises(NetworkRefused):
        socket.getaddrinfo(name, 80)


def test_a_connection_within_the_machine_works():
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with socket.create_connection(("localhost", server.getsockname()[1]), timeout=10) as caller:
            received = caller.recv(1)
        thread.join()

    assert received == b""


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs unix sockets")
def test_a_unix_socket_works(tmp_path):
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as caller,
    ):
        server.bind(os.fspath(tmp_path / "s"))
        server.listen()
        caller.connect(os.fspath(tmp_path / "s"))


def test_a_process_that_a_test_starts_is_refused_too():
    code = f"import socket; socket.create_connection({ELSEWHERE})"

    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert ran.returncode == 1
    assert "NetworkRefused" in ran.stderr


def test_the_engine_switches_off_the_telemetry_of_onnxruntime(tmp_path):
    # From 1.31 on, onnxruntime for Linux queues events for its maker as soon as it is imported,
    # in a folder of its own in the user's cache, unless told not to, or unless it sees CI=true.
    code = "import lookwho.core.runtime"
    environment = {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": os.fspath(tmp_path)}

    subprocess.run([sys.executable, "-c", code], env=environment, check=True)

    assert list(tmp_path.rglob("*onnxruntime*")) == []
