"""``ray start`` for a further node on loopback: Ray allows one node there, and takes the public address for others.

Run by the Python of the environment of the tests on a Ray cluster, with RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0.
"""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    constants = import_module("ray._private.ray_constants")
    services = import_module("ray._private.services")
    scripts = import_module("ray.scripts.scripts")
    constants.ENABLE_RAY_CLUSTER = True
    services.resolve_ip_for_localhost = lambda host: host
    scripts.main()


if __name__ == "__main__":
    sys.exit(main())
