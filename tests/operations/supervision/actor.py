"""A small real process for the tests: a web server that can be told to misbehave.

``GET`` /readyz, /break (not ready any more), /grow?megabytes, /leave (a child in a session of its own that ignores
SIGTERM; its number), /say?megabytes (into the log), /die, /world (environment, arguments, folder).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(300)
"""


class Handler(BaseHTTPRequestHandler):
    ready = True
    held: list[bytearray] = []  # noqa: RUF012 - one process, one server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        answer = ""
        if path == "/break":
            Handler.ready = False
        elif path == "/grow":
            Handler.held.append(bytearray(os.urandom(1)) * (int(query) << 20))
        elif path == "/leave":
            child = subprocess.Popen(
                [sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True
            )
            assert child.stdout is not None
            child.stdout.readline()
            answer = str(child.pid)
        elif path == "/say":
            for _ in range(int(query)):
                print("x" * (1 << 20), flush=True)
        elif path == "/die":
            os._exit(9)
        elif path == "/world":
            answer = json.dumps(
                {"environment": dict(os.environ), "arguments": sys.argv, "folder": str(Path.cwd())}
            )
        self.send_response(503 if path == "/readyz" and not Handler.ready else 200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_arguments: object) -> None:
        """Not into the log: the tests look for what they put there."""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--delay-s", type=float, default=0.0)
    options.add_argument("--deaf", action="store_true")
    options.add_argument("--die", action="store_true")
    options.add_argument("--die-unless")
    options.add_argument("--die-late", type=int, metavar="CODE", help="once Supervisor counts it as running")
    options.add_argument("--idle", action="store_true")
    given = options.parse_args()
    if given.die or (given.die_unless and not Path(given.die_unless).exists()):
        sys.exit("the licence is missing")
    if given.die_late is not None:
        print("somebody else has the port", flush=True)
        time.sleep(2.5)
        sys.exit(given.die_late)
    if given.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waiting for better times", flush=True)
    if given.idle:
        time.sleep(300)
    time.sleep(given.delay_s)
    HTTPServer(("127.0.0.1", given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
