"""The runner: the one process that executes model-written code, and says what came of it.

It takes the limits and the walls upon itself before it touches the program, for good. What it writes proves no more
than that this process wrote it: the program shares its memory. A program that does not look for the runner cannot
forge an outcome by printing, by writing to descriptors, by changing builtins, or by ending; one that searches the
interpreter for the runner's frames can, of its own checks, and of nothing else.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import json
import os
import re
import resource
import signal
import sys
import time
import types
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from evoselfcode.datagen.sandbox.inside import kernel, landlock, seccomp

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""What differs in the ``repr`` of two objects that are alike."""

MOST_ITEMS = 1000
"""So many items are taken from a generator."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LONGEST = 200

Outcome = tuple[str, str, str]


class Walls(Protocol):
    """What a runner takes upon itself."""

    limits: dict[str, Any]
    folder: str
    filtered: bool
    ruleset: int


def live(job: dict[str, Any], start: int, nonce: str, pipes: tuple[int, int], walls: Walls) -> None:
    """Run a program, then its checks from number `start` on, and end; called in a fork, never returns."""
    try:
        result = _confine(pipes, walls)
        checks = job["checks"][start:]
        trusted = dict(vars(builtins))
        say = _speaker(result, nonce, walls.limits["check_seconds"])
        module = _module()
        if say(functools.partial(_define, job["program"], module)) == "pass":
            for check in checks:
                names = {**vars(module), "__builtins__": dict(trusted)}
                say(functools.partial(CHECKS[check["kind"]], check, names))
        os._exit(0)
    except BaseException as error:
        os.write(2, f"runner: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(70)


def _confine(pipes: tuple[int, int], walls: Walls) -> int:
    """Close what is not needed, take the limits and the walls; return where outcomes are to be written."""
    result = 20 + int.from_bytes(os.urandom(1), "little") % 40
    os.dup2(pipes[1], 1)
    os.dup2(pipes[1], 2)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    ruleset = os.dup2(walls.ruleset, 61) if walls.ruleset >= 0 else -1
    os.dup2(pipes[0], 62)
    os.closerange(3, 61)
    os.dup2(62, result, inheritable=False)
    os.close(62)
    os.closerange(63, 1024)
    os.chdir(f"{walls.folder}/work")
    os.setsid()
    _die_with_the_supervisor()
    _limit(walls.limits)
    os.nice(5)
    if ruleset >= 0:
        landlock.restrict(ruleset)
        os.close(ruleset)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)))
    sys.stdout = sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "w")), line_buffering=True)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if walls.filtered:
        seccomp.install(os.getpid())
    return result


def _die_with_the_supervisor() -> None:
    with contextlib.suppress(OSError, AttributeError):  # not Linux: its group is killed
        kernel.call("prctl", kernel.PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _limit(limits: dict[str, Any]) -> None:
    for kind, amount in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (most, most))
    # Threads add up; beyond the hard limit the kernel would kill without saying why.
    seconds = int(limits["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def _module() -> types.ModuleType:
    """Make the module that the program is; builtins that it changes are its own."""
    module = types.ModuleType("program")
    own = types.ModuleType("builtins")
    vars(own).update(vars(builtins))
    vars(module)["__builtins__"] = own
    for name in [name for name in sys.modules if name.startswith("evoselfcode")]:
        del sys.modules[name]
    sys.modules.update({"program": module, "builtins": own, "__main__": module})
    sys.path[:] = [path for path in sys.path if path]
    return module


def _speaker(result: int, nonce: str, seconds: float) -> Callable[[Callable[[], Outcome]], str]:
    """Return what runs one step within its processor time and writes its outcome; it returns the status."""
    write, encode, cpu, timer = os.write, json.dumps, time.process_time, signal.setitimer
    printed = sys.stdout

    def flush() -> Outcome:
        printed.flush()
        return "pass", "", ""

    def say(step: Callable[[], Outcome]) -> str:
        began = cpu()
        timer(signal.ITIMER_PROF, seconds)
        status, detail, value = _attempt(step)
        _attempt(flush)
        timer(signal.ITIMER_PROF, 0)
        line = encode([status, detail[:_LONGEST], value, round(cpu() - began, 6)])
        write(result, f"\n{nonce}{line}\n".encode())
        return status

    return say


def _attempt(step: Callable[[], Outcome]) -> Outcome:
    try:
        return step()
    except MemoryError:
        return "memory", "", ""
    except ImportError as error:
        return "import", _message(error), ""
    except BaseException as error:
        name = getattr(type(error), "__name__", "")
        plain = name if isinstance(name, str) and _NAME.fullmatch(name) else "Exception"
        return f"exception:{plain}", _message(error), ""


def _message(error: BaseException) -> str:
    try:
        return str(error)[:_LONGEST]
    except BaseException:
        return ""


def _define(program: str, module: types.ModuleType) -> Outcome:
    exec(compile(program, "<program>", "exec", dont_inherit=True), vars(module))  # noqa: S102
    return "pass", "", ""


def _assert(check: dict[str, Any], names: dict[str, Any]) -> Outcome:
    try:
        exec(compile(check["text"], "<check>", "exec", dont_inherit=True), names)  # noqa: S102
    except AssertionError as error:
        return "assert", _message(error), ""
    return "pass", "", ""


def _call(check: dict[str, Any], names: dict[str, Any]) -> Outcome:
    """Call the function twice with arguments made anew; hold the two against each other."""
    function = names[check["name"]]
    first, touched = _once(function, check["text"])
    second, _ = _once(function, check["text"])
    if first != second:
        return "assert", "not deterministic", first
    if touched and not check["in_place"]:
        return "assert", "changes its input", first
    return "pass", "", first


def _once(function: Callable[..., object], text: str) -> tuple[str, bool]:
    arguments = eval(text, {"inf": float("inf"), "nan": float("nan")})  # noqa: S307 - written by us, not by the model
    before = repr(arguments)
    value = function(*arguments)
    if isinstance(value, types.CoroutineType):
        import asyncio

        value = asyncio.run(value)
    if isinstance(value, types.GeneratorType):
        value = [item for _, item in zip(range(MOST_ITEMS), value, strict=False)]
    return _short(ADDRESS.sub("", canonical(value))), repr(arguments) != before


def _short(text: str) -> str:
    """Cut a long text, but so that two that differ stay different."""
    return (
        text if len(text) <= _LONGEST else f"{text[: _LONGEST - 10]}…{zlib.crc32(text.encode('utf-8', 'replace')):08x}"
    )


def canonical(value: object) -> str:
    """Return a ``repr`` in which sets are in order, so that equal values read alike in every process."""
    kind = type(value)
    if kind in {set, frozenset}:
        return f"{kind.__name__}({{{', '.join(sorted(map(canonical, value)))}}})"  # type: ignore[call-overload]
    if kind in {list, tuple}:
        return f"{kind.__name__}({', '.join(map(canonical, value))})"  # type: ignore[call-overload]
    if kind is dict:
        return f"{{{', '.join(f'{canonical(k)}: {canonical(v)}' for k, v in value.items())}}}"  # type: ignore[attr-defined]
    return repr(value)


def _doctest(check: dict[str, Any], names: dict[str, Any]) -> Outcome:
    """Run the examples of a docstring one behind the other; the first that differs is the outcome."""
    import doctest

    differs = doctest.OutputChecker().check_output
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for number, (source, want, raises) in enumerate(check["examples"], 1):
        printed, sys.stdout = sys.stdout, io.StringIO()
        try:
            exec(compile(source, "<doctest>", "single", dont_inherit=True), names)  # noqa: S102
        except Exception as error:
            if raises is None or not f"{type(error).__name__}: {_message(error)}".startswith(raises.split(":")[0]):
                raise
            continue
        finally:
            got, sys.stdout = sys.stdout.getvalue(), printed
        if raises is not None or not differs(want, got, flags):
            return "assert", f"example {number}: wanted {want[:60]!r}, got {got[:60]!r}", ""
    return "pass", "", ""


CHECKS: dict[str, Callable[[dict[str, Any], dict[str, Any]], Outcome]] = {
    "assert": _assert,
    "call": _call,
    "doctest": _doctest,
}
"""What runs a check, by its kind."""
