"""OpenStack Swift with its S3 API in one process: proxy, account, container and object server on loopback.

Runs with the Python of the servers' environment, not with ours: ``swift_server.py FOLDER REGION``. The accounts stand
in FOLDER/accounts.json, ``{"team:name": secret}``. Says ``{"address": "host:port"}`` on a line of JSON when it answers;
logs on standard error. Signatures are checked by s3api and tempauth, as in a real installation; of everything there is
one device and one replica.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import eventlet
from swift.common import utils

utils.monkey_patch()

# The data live as long as the tests: nothing needs to survive a power cut.
os.fsync = os.fdatasync = lambda _descriptor: None

import eventlet.wsgi  # noqa: E402 - after the patching
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402

HOST = "127.0.0.1"
BACKENDS = ("account", "container", "object")
CLIENT_TIMEOUT_S = 60
# 16 partitions: a ring for one disk.
PART_POWER = 4

_SWIFT = """
[swift-hash]
swift_hash_path_suffix = tests
"""
_BACKEND = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
# Nothing that is stored here outlives the tests.
fallocate_reserve = 0
disable_fallocate = true
bind_ip = {host}
bind_port = {port}

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
# A listing shows an object as soon as it is stored, however busy the machine is.
container_update_timeout = 60
node_timeout = 60
conn_timeout = 20
"""
_PROXY = """
[DEFAULT]
swift_dir = {folder}
bind_ip = {host}
bind_port = {port}

[pipeline:main]
pipeline = catch_errors listing_formats s3api tempauth slo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
node_timeout = 60
recoverable_node_timeout = 60
conn_timeout = 20
# A busy machine shall not make it leave its only servers alone.
error_suppression_limit = 1000000

[filter:catch_errors]
use = egg:swift#catch_errors

[filter:listing_formats]
use = egg:swift#listing_formats

[filter:s3api]
use = egg:swift#s3api
location = {region}

[filter:tempauth]
use = egg:swift#tempauth
{users}

[filter:slo]
use = egg:swift#slo
"""


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    logging.basicConfig(level=logging.WARNING)
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT)
    utils.set_swift_dir(str(folder))
    sockets = {kind: eventlet.listen((HOST, 0)) for kind in (*BACKENDS, "proxy")}
    ports = {kind: socket.getsockname()[1] for kind, socket in sockets.items()}
    users = json.loads((folder / "accounts.json").read_text())
    for kind in BACKENDS:
        make_ring(folder / f"{kind}.ring.gz", ports[kind])
        write(folder / f"{kind}.conf", _BACKEND.format(folder=folder, host=HOST, port=ports[kind], kind=kind))
    lines = "\n".join(f"user_{user.replace(':', '_')} = {secret} .admin" for user, secret in users.items())
    region = sys.argv[2]
    proxy = _PROXY.format(folder=folder, host=HOST, port=ports["proxy"], users=lines, region=region)
    write(folder / "proxy.conf", proxy)  # it holds the secrets
    servers = [eventlet.spawn(serve, folder / f"{kind}.conf", socket) for kind, socket in sockets.items()]
    eventlet.sleep(0)
    print(json.dumps({"address": f"{HOST}:{ports['proxy']}"}), flush=True)
    for server in servers:
        server.wait()


def make_ring(path: Path, port: int) -> None:
    """The one disk that everything lies on, behind ``port``."""
    builder = RingBuilder(PART_POWER, replicas=1, min_part_hours=0)
    builder.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": HOST, "port": port, "device": "disk"})
    builder.rebalance()
    builder.get_ring().save(str(path))


def write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def serve(configuration: Path, socket: eventlet.greenio.GreenSocket) -> None:
    """As swift.common.wsgi.run_server, for one of several servers of a process."""
    app = loadapp(str(configuration), global_conf={"log_name": configuration.stem})
    eventlet.wsgi.server(
        socket,
        app,
        logging.getLogger("null"),
        log_output=False,
        protocol=SwiftHttpProtocol,
        socket_timeout=CLIENT_TIMEOUT_S,
        capitalize_response_headers=False,  # clients of S3 want "ETag"
    )


if __name__ == "__main__":
    main()
