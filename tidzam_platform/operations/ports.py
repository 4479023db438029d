"""TCP ports: which are free, and who listens on one."""

from __future__ import annotations

import errno
import ipaddress
import socket
import time
from pathlib import Path
from typing import Final

from tidzam_platform.errors import ListenError

_LISTEN: Final = "0A"  # TCP_LISTEN in /proc/net/tcp, see proc(5)
_RELEASE_S: Final = 3.0  # children of one that was killed hold its port a moment longer
_POLL_S: Final = 0.1
_SOCKET_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port that nobody listens on now.

    Raises:
        ListenError: ``host`` is no address of this machine.
    """
    port = _bind(host, 0)
    assert port is not None  # noqa: S101 - the kernel chose it
    return port


def is_free(host: str, port: int) -> bool:
    """Whether nobody listens on ``port`` now.

    Raises:
        ListenError: ``host`` is no address of this machine, or the port is not ours to take.
    """
    return _bind(host, port) is not None


def require_free(host: str, port: int, who: str, mend: str) -> None:
    """Look whether ``who`` will be able to listen there, before it spends seconds on imports; 0 is always free.

    One that ends just now is waited for, 3 s at most. So a process that cannot have its port has run longer than those
    that Supervisor tries again at once (``supervision.configuration``), and its exit code decides.

    Args:
        host: an address of this machine, or a name of one.
        port: 0 to 65535.
        who: wants to listen, for the message.
        mend: the option or setting that names another port, for the message.

    Raises:
        ListenError: the port is in use, or the address is not of this machine.
    """
    end_s = time.monotonic() + _RELEASE_S
    while port and not is_free(host, port):
        if time.monotonic() > end_s:
            raise ListenError(
                f"{who} cannot listen on {join_address(host, port)}: the port is in use; stop what uses it, or "
                f"choose another with {mend}"
            )
        time.sleep(_POLL_S)


def choose_port(host: str, preferred: int) -> int:
    """``preferred`` if nobody listens on it, else a free one; ListenError as ``is_free``."""
    return _bind(host, preferred) or free_port(host)


def join_address(host: str, port: int) -> str:
    """``host:port``, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(address: str) -> bool:
    """Whether ``host:port`` is of this machine alone; a name other than localhost may be anybody's."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listens(process: int, port: int) -> bool:
    """Whether this very process listens on ``port``: that something answers there says nothing of whose it is."""
    inodes = _listening_inodes(port)
    try:
        descriptors = list(Path(f"/proc/{process}/fd").iterdir())
    except FileNotFoundError:  # it has ended
        return False
    return any(_target(descriptor) in inodes for descriptor in descriptors)


def _bind(host: str, port: int) -> int | None:
    """The port if it can be bound, None if it is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Connections of the one before that linger in TIME_WAIT do not count; a listener does.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            bound: int = probe.getsockname()[1]
            return bound
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise ListenError(
            f"{join_address(host, port)} cannot be listened on: {error.strerror}; choose another host or port"
        ) from error


def _listening_inodes(port: int) -> set[str]:
    """The sockets that listen on ``port``, as links in /proc name them."""
    found = set()
    for table in _SOCKET_TABLES:
        if table.exists():  # a kernel may have no IPv6
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(f"socket:[{fields[9]}]")
    return found


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""
