"""JACK's library as the binding loads it, and what is said to nobody: its messages."""

from __future__ import annotations

import ctypes
import functools
from typing import Any, Final

import numpy as np

from streamer.engine.graph.interface import Connection, PortKind
from streamer.engine.rings.native import address_of, c_function, load_numba, native
from tidzam_platform.errors import AudioGraphError, MissingSystemPartError

_MESSAGE_BYTES: Final = 256
_last_message = np.zeros(_MESSAGE_BYTES, np.uint8)


@functools.cache
def jack_module() -> Any:
    """The module ``jack``.

    Raises:
        MissingSystemPartError: JACK's library is not installed.
    """
    try:
        import jack
    except OSError as error:
        raise MissingSystemPartError(
            "JACK's library is not installed: ./tidzam check tells how to install jackd2, "
            "or set graph.kind to clock"
        ) from error
    handler = _message_handler()
    for setter in ("jack_set_error_function", "jack_set_info_function"):
        set_function = getattr(ctypes.CDLL(jack._libname), setter)  # noqa: SLF001
        set_function.argtypes, set_function.restype = [ctypes.c_void_p], None
        set_function(handler)
    return jack


def last_message() -> str:
    """What JACK's library said last, e.g. why a client was refused."""
    return bytes(_last_message).split(b"\0")[0].decode(errors="replace").strip()


@functools.cache
def _message_handler() -> int:
    """The address of a function that keeps the last message.

    JACK says things from its own threads, also from those that end while Python ends: no Python there.
    """
    numba = load_numba()

    n: Any = native()
    call3, place, strncpy = n.call3, int(_last_message.ctypes.data), c_function("strncpy")
    to = np.array([place, strncpy, _MESSAGE_BYTES - 1], np.int64)
    words_at, address = n.words_at, int(to.ctypes.data)

    def keep(message: int) -> None:
        w = numba.carray(words_at(address), 3)
        call3(w[1], w[0], message, w[2])

    handler = numba.cfunc("void(int64)")(keep)
    _kept.extend((handler, to))
    return int(handler.address)


_kept: list[Any] = []


@functools.cache
def function_address(name: str) -> int:
    """The address of a function of JACK's library."""
    return address_of(ctypes.CDLL(jack_module()._libname), name)  # noqa: SLF001


class Requests:
    """Questions and requests to a server through one open client, without making objects of the binding."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._lib = jack_module()._lib  # noqa: SLF001
        self._ffi = jack_module()._ffi  # noqa: SLF001

    @property
    def _pointer(self) -> Any:
        pointer = self._client._ptr  # noqa: SLF001
        if not pointer:
            raise AudioGraphError("the connection to JACK is closed")
        return pointer

    def client_address(self) -> int:
        """``jack_client_t *``."""
        return int(self._ffi.cast("intptr_t", self._pointer))

    def ports(self, kind: PortKind | None = None) -> list[str]:
        """Full names of audio ports."""
        flags = {
            None: 0,
            PortKind.INPUT: self._lib.JackPortIsInput,
            PortKind.OUTPUT: self._lib.JackPortIsOutput,
        }
        audio = b"32 bit float mono audio"
        return self._names(self._lib.jack_get_ports(self._pointer, b"", audio, flags[kind]))

    def connections(self) -> set[Connection]:
        """Every connection of audio ports."""
        found = set()
        for output in self.ports(PortKind.OUTPUT):
            port = self._lib.jack_port_by_name(self._pointer, output.encode())
            if port:
                heard = self._lib.jack_port_get_all_connections(self._pointer, port)
                found |= {Connection(output, name) for name in self._names(heard)}
        return found

    def has_port(self, name: str) -> bool:
        """Whether there is a port of this full name."""
        return bool(self._lib.jack_port_by_name(self._pointer, name.encode()))

    def connect(self, output: str, port: str) -> int:
        """0, or an errno."""
        return int(self._lib.jack_connect(self._pointer, output.encode(), port.encode()))

    def disconnect(self, output: str, port: str) -> int:
        """0, or not."""
        return int(self._lib.jack_disconnect(self._pointer, output.encode(), port.encode()))

    def register(self, port: str, kind: PortKind) -> int:
        """Make an audio port of this client; its address, 0 if it is refused."""
        flag = self._lib.JackPortIsInput if kind is PortKind.INPUT else self._lib.JackPortIsOutput
        audio = b"32 bit float mono audio"
        made = self._lib.jack_port_register(self._pointer, port.encode(), audio, flag, 0)
        return int(self._ffi.cast("intptr_t", made))

    def unregister(self, handle: int) -> int:
        """0, or not."""
        port = self._ffi.cast("jack_port_t *", handle)
        return int(self._lib.jack_port_unregister(self._pointer, port))

    def set_process_callback(self, address: int, block: int) -> None:
        """Have compiled code called at each cycle; before the client is activated."""
        callback = self._ffi.cast("JackProcessCallback", address)
        self._require(
            self._lib.jack_set_process_callback(self._pointer, callback, self._ffi.cast("void *", block))
        )

    def set_xrun_callback(self, address: int, word: int) -> None:
        """Have compiled code called at each xrun; before the client is activated."""
        callback = self._ffi.cast("JackXRunCallback", address)
        self._require(
            self._lib.jack_set_xrun_callback(self._pointer, callback, self._ffi.cast("void *", word))
        )

    def set_shutdown_callback(self, address: int, block: int) -> None:
        """Have compiled code called when the server dies or throws the client out; before it is activated."""
        callback = self._ffi.cast("JackInfoShutdownCallback", address)
        self._lib.jack_on_info_shutdown(self._pointer, callback, self._ffi.cast("void *", block))

    def cycle_frames(self) -> int:
        """Frames of a cycle."""
        return int(self._lib.jack_get_buffer_size(self._pointer))

    def set_cycle_frames(self, frames: int) -> int:
        """Change the frames of a cycle; 0, or not."""
        return int(self._lib.jack_set_buffer_size(self._pointer, frames))

    def rate_hz(self) -> int:
        """Frames a second."""
        return int(self._lib.jack_get_sample_rate(self._pointer))

    def frame_time(self) -> int:
        """The frame that it is now, by estimate: 32 bit."""
        return int(self._lib.jack_frame_time(self._pointer))

    def cycle_frame(self) -> int:
        """The first frame of the cycle that was begun last: 32 bit."""
        return int(self._lib.jack_last_frame_time(self._pointer))

    def _names(self, found: Any) -> list[str]:
        """The strings of an array that ends with NULL; the array is freed."""
        if not found:
            return []
        names = []
        try:
            index = 0
            while found[index]:
                names.append(self._ffi.string(found[index]).decode(errors="replace"))
                index += 1
        finally:
            self._lib.jack_free(found)
        return names

    def _require(self, failed: int) -> None:
        if failed:
            raise AudioGraphError(f"JACK refused a callback ({failed}): {last_message()}")
