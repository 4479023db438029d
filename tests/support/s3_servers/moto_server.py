"""moto's S3 server on loopback: quick, and it takes any access key and secret.

Runs with the Python of the servers' environment, not with ours. Says ``{"address": "host:port"}`` on a line of JSON.
"""

from __future__ import annotations

import json
import logging
import threading

from moto.server import ThreadedMotoServer

HOST = "127.0.0.1"


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(json.dumps({"address": f"{host}:{port}"}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
