"""Refuse every connection that would leave this machine.

An audit hook sees every use of Python's sockets, whichever way they were reached, and cannot be
taken out again. It does not see sockets that libraries open by themselves, as the telemetry of
onnxruntime would: conftest switches that off, and test_offline.py sees to it that Lookwho does.
"""

import ipaddress
import sys


class NetworkRefused(Exception):
    """Something in the tests tried to leave the machine."""


def is_here(host):
    if not host:  # None and "": any address of this machine
        return True
    host = host.decode() if isinstance(host, bytes) else host
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse(event, arguments):
    if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
        address = arguments[1]
        # (host, port, ...) over IP; a path or a number where nothing can leave the machine.
        host = address[0] if isinstance(address, tuple) and isinstance(address[0], str) else None
    elif event in {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}:
        host = arguments[0]
    else:
        return
    if not is_here(host):
        raise NetworkRefused(f"{event} to {host!r}: nothing may leave this machine")


sys.addaudithook(refuse)
