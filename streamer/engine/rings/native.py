"""What compiled code needs beyond numba: addresses as arrays, memory fences, and calls of C functions by address.

Addresses are int64. Everything here runs without Python's lock and allocates nothing.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def load_numba() -> Any:
    """The module ``numba``, imported when it is first needed: it takes a second, and its types hold for nobody."""
    return importlib.import_module("numba")


@functools.cache
def native() -> SimpleNamespace:
    """The intrinsics, for closures that numba compiles.

    ``words_at(address)``, ``ints_at``, ``floats_at``: pointers to int64, int32, float32, for ``numba.carray``.
    ``fence()``: a full memory fence. ``copy(to, from, bytes)``, ``clear(to, bytes)``: memcpy and memset.
    ``call1(function, a)`` ... ``call5``: call a C function with integers and pointers; its result as int64, of which a
    C ``int`` is only the lower half: ``as_int``.
    """
    numba = load_numba()
    ir: Any = importlib.import_module("llvmlite.ir")
    cgutils: Any = importlib.import_module("numba.core.cgutils")
    types, intrinsic = numba.types, importlib.import_module("numba.extending").intrinsic

    word = ir.IntType(64)

    def pointer_maker(numba_type: Any, llvm_type: Any) -> Any:
        def make(_typing: Any, _address: Any) -> Any:
            def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                return builder.inttoptr(arguments[0], llvm_type.as_pointer())

            return types.CPointer(numba_type)(types.int64), generate

        return intrinsic(make)

    def caller(count: int) -> Any:
        def prepare() -> Any:
            def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                kind = ir.FunctionType(word, [word] * count)
                function = builder.inttoptr(arguments[0], kind.as_pointer())
                return builder.call(function, arguments[1:])

            return types.int64(*[types.int64] * (count + 1)), generate

        def call1(_typing: Any, _function: Any, _a: Any) -> Any:
            return prepare()

        def call2(_typing: Any, _function: Any, _a: Any, _b: Any) -> Any:
            return prepare()

        def call3(_typing: Any, _function: Any, _a: Any, _b: Any, _c: Any) -> Any:
            return prepare()

        def call5(_typing: Any, _function: Any, _a: Any, _b: Any, _c: Any, _d: Any, _e: Any) -> Any:
            return prepare()

        return intrinsic({1: call1, 2: call2, 3: call3, 5: call5}[count])

    @intrinsic  # type: ignore[untyped-decorator]
    def fence(_typing: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
            builder.fence("seq_cst")
            return context.get_dummy_value()

        return types.void(), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def copy(_typing: Any, _to: Any, _from: Any, _bytes: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            to, source = (builder.inttoptr(one, ir.IntType(8).as_pointer()) for one in arguments[:2])
            cgutils.raw_memcpy(builder, to, source, arguments[2], 1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def clear(_typing: Any, _to: Any, _bytes: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            to = builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())
            cgutils.memset(builder, to, arguments[1], 0)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    @numba.njit("int64(int64)")  # type: ignore[untyped-decorator]
    def as_int(result: int) -> int:
        return ((result & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000

    return SimpleNamespace(
        words_at=pointer_maker(types.int64, word),
        ints_at=pointer_maker(types.int32, ir.IntType(32)),
        floats_at=pointer_maker(types.float32, ir.FloatType()),
        fence=fence,
        copy=copy,
        clear=clear,
        as_int=as_int,
        **{f"call{count}": caller(count) for count in (1, 2, 3, 5)},
    )


def c_function(name: str) -> int:
    """The address of a function of the C library."""
    return address_of(ctypes.CDLL(None), name)


def address_of(library: ctypes.CDLL, name: str) -> int:
    """The address of a function of a library."""
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None  # noqa: S101 - getattr has found it
    return address


def callable_at(address: int) -> Callable[[int], int]:
    """A compiled function ``int64(int64)`` as Python calls it: without Python's lock while it runs."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)
