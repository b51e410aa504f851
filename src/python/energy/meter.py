"""Measures pieces of work: a meter for an item, a measurement for a request, a load or a training."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import settinglines
from energy import board, grid, processor, rapl
from energy.ledger import Counts, Entry, Ledger, keep_read

GPU_COUNTER, RAPL, ESTIMATED, UNAVAILABLE = "measured-gpu-counter", "measured-rapl", "estimated-tdp", "unavailable"

_RAPL_STEP_S = 0.001  # how often a package's counter grows
_BOARD_STEP_S = 0.1  # and a GPU's, at the slowest
_SHORT_S = 0.2  # work on a GPU below this is measured by the board's power: the counter is too slow for it
_READ_EVERY_S = 60.0
_UNKNOWN = dict.fromkeys(("joules", "low", "high", "carbon_g", "carbon_low_g", "carbon_high_g"))


class Machine:
    """What this machine can be asked: packages, processor, GPUs; and who works on it. There is one in a process."""

    def __init__(self, powercap: Path = rapl.POWERCAP, cpuinfo: Path = processor.CPUINFO) -> None:
        self.rapl = rapl.Rapl(powercap)
        self.power = processor.power(cpuinfo)
        self.threads = os.cpu_count() or 1
        self.ledger = Ledger(self._read)
        self._boards: dict[str, tuple[board.Board, Ledger] | None] = {}
        self._guard = threading.Lock()
        if not self.rapl.problem:
            keep_read(self.ledger, _READ_EVERY_S)

    def gpu(self, device: str) -> tuple[board.Board, Ledger] | None:
        """The board of a torch device, and the ledger of its counter; None if it has none that can be read."""
        with self._guard:
            if device not in self._boards:
                found = board.find(device)
                self._boards[device] = (found, Ledger(lambda: _board_counts(found))) if found else None
            return self._boards[device]

    def _read(self) -> Counts:
        return Counts(time.perf_counter(), time.process_time(), self.rapl.joules())


def _board_counts(found: board.Board) -> Counts:
    return Counts(time.perf_counter(), 0.0, found.joules())


_this: Machine | None = None
_guard = threading.Lock()


def this_machine() -> Machine:
    """The one that all meters share, so that no two of them claim the same joule."""
    global _this
    with _guard:
        if _this is None:
            _this = Machine()
        return _this


class Meter:
    """Measures for one item; `where` is None for one that is turned off, whose measurements result in None.

    `log` takes a line for work that is apart from a request, such as a load. `note` hears what every piece of work
    cost, for a book, and whether it was apart.
    """

    def __init__(
        self,
        where: grid.Grid | None,
        *,
        log: Callable[[str], None] | None = None,
        note: Callable[[dict[str, Any], bool], None] | None = None,
        machine: Machine | None = None,
    ) -> None:
        self.where = where
        self.log = log
        self.note = note
        self.machine = machine or (this_machine() if where else None)

    @property
    def on(self) -> bool:
        """Whether anything is measured."""
        return self.where is not None

    @classmethod
    def parse(
        cls,
        *,
        energy: object = True,
        country: str = "",
        factor: object = None,
        log: Callable[[str], None] | None = None,
        note: Callable[[dict[str, Any], bool], None] | None = None,
    ) -> "Meter":
        """The meter that the settings `energy`, `energy_country` and `grid_gco2_per_kwh` mean, as they are typed.

        Raises `SettingRefused` that says what to write.
        """
        return cls(grid.read(country, factor) if turned_on(energy) else None, log=log, note=note)

    def measure(self, device: str = "cpu", apart: bool = False) -> "Measurement":
        """A context in which work is measured; `device` is torch's name of where it runs.

        `auto`: a GPU if this process uses one by the end of the work, as a training may. `apart`: it is no request.
        """
        return Measurement(self, device, apart)


class Measurement:
    """Use as a context; afterwards `result` is what the work cost, JSON-safe.

    `weigh` and `aside` are for those who know more about who works: see inference/effort.py.
    """

    result: dict[str, Any] | None = None

    def __init__(self, meter: Meter, device: str, apart: bool = False) -> None:
        self._meter = meter
        self._device = device
        self._apart = apart
        self._entry: Entry | None = None
        self._on_board: tuple[board.Board, Ledger, Entry] | None = None

    def __enter__(self) -> "Measurement":
        machine = self._meter.machine
        if machine is not None:
            self._began_s = time.perf_counter()
            if self._device.startswith(("cuda", "auto")) and (gpu := machine.gpu(_board_of(self._device))):
                self._on_board = (*gpu, gpu[1].open())
            self._entry = machine.ledger.open()
        return self

    def __exit__(self, *_: object) -> None:
        machine, entry = self._meter.machine, self._entry
        if machine is not None and entry is not None:
            counts = machine.ledger.close(entry)
            on_board = self._on_board[1].close(self._on_board[2]) if self._on_board else None
            self.result = self._cost(machine, entry, counts, on_board)
            if self._meter.note is not None:
                self._meter.note(self.result, self._apart)

    def so_far(self) -> dict[str, Any]:
        """What the work has cost until now."""
        machine, entry = self._meter.machine, self._entry
        if self.result is not None:
            return self.result
        if machine is None or entry is None:
            return unavailable("nothing is measured: the setting energy is false")
        on_board = self._on_board[1].counted(self._on_board[2]) if self._on_board else None
        return self._cost(machine, entry, machine.ledger.counted(entry), on_board)

    def bear(self, cpu_s: float) -> None:
        """Processor time of another process that worked for this, in seconds; its counters are the machine's anyway."""
        if self._meter.machine is not None and self._entry is not None:
            self._meter.machine.ledger.bear(self._entry, cpu_s)

    def weigh(self, shares: Sequence[tuple["Measurement", float]]) -> None:
        """From now on these measurements have these shares: 0 for one that waits, a part of 1 for one of a batch."""
        measured = [(one._entry, share) for one, share in shares if one._entry]
        if not measured:  # all of them are turned off
            return
        machine = next(one._meter.machine for one, _ in shares if one._meter.machine)
        machine.ledger.weigh(measured)
        for ledger in {one._on_board[1] for one, _ in shares if one._on_board}:
            ledger.weigh([(one._on_board[2], share) for one, share in shares if one._on_board])

    @contextmanager
    def aside(self, what: str, pause: bool = True) -> Iterator["Measurement"]:
        """Work that is not this one's own, such as a load: measured apart, and logged in a line.

        `pause`: this one does nothing meanwhile. Without, it is the work of another thread, which may last longer.
        """
        if pause:
            self.weigh([(self, 0.0)])
        apart = Measurement(self._meter, self._device, apart=True)
        try:
            with apart:
                yield apart
        finally:
            if pause:
                self.weigh([(self, 1.0)])
        cost, log = apart.result, self._meter.log
        if cost and log:
            log(f"{what}: {line(cost)}")

    def _cost(self, machine: Machine, entry: Entry, counts: Counts, on_board: Counts | None) -> dict[str, Any]:
        joules, method, scope = _processor(machine, counts)
        shared = counts.wall_s < entry.busy_s * 0.999
        device = self._device
        if device == "auto":
            device = _board_of(device) if board.in_use() else "cpu"
        if device.startswith("cuda"):
            found = _gpu(self._on_board[0], on_board) if self._on_board and on_board else None
            joules = [sum(pair) for pair in zip(joules, found, strict=True)] if joules and found else None
            method, scope = GPU_COUNTER, f"the whole board of {device}, and {scope} ({method})"
            if found is None:
                scope = f"the energy counter of {device} cannot be read (nvidia-ml-py, driver or board lack it)"
        elif device != "cpu":
            joules, scope = None, f"{device} has no energy counter that is known here"
        return {
            **_amounts(joules, self._meter.where or grid.WORLD),
            "method": method if joules else UNAVAILABLE,
            "scope": scope,
            "shared": shared,
            "duration_s": _rounded(time.perf_counter() - self._began_s),
            "cpu_s": _rounded(counts.cpu_s),
        }


def turned_on(energy: object) -> bool:
    """The setting `energy`."""
    typed = settinglines.typed(energy if energy != "" else True)
    if not isinstance(typed, bool):
        raise grid.SettingRefused(f"energy is {str(energy)[:40]!r}. Write true or false.")
    return typed


def unavailable(scope: str) -> dict[str, Any]:
    """What is said of work whose energy nobody here can know; `scope` says why."""
    return {**_amounts(None, grid.WORLD), "method": UNAVAILABLE, "scope": scope, "grid": None}


def line(cost: dict[str, Any]) -> str:
    """A cost in words."""
    took = f"{cost['duration_s']:.3g} s, {cost['cpu_s']:.3g} s of processor time"
    if cost["joules"] is None:
        return f"{took}, energy unavailable: {cost['scope']}"
    return (
        f"{took}, {cost['joules']:.3g} J ({cost['low']:.3g} to {cost['high']:.3g}; {cost['method']}), "
        f"{cost['carbon_g']:.2g} g CO2e"
    )


def _board_of(device: str) -> str:
    return "cuda:0" if device == "auto" else device


def _processor(machine: Machine, counts: Counts) -> tuple[list[float] | None, str, str]:
    """Joules (likely, least, most), the method and the scope of what the processor did."""
    if counts.joules > 0:  # NaN is not; and 0 is a counter that did not move in so short a time, not a cost of 0
        # Least: this work's part of all that the machine could have computed meanwhile, if others filled it up.
        part = min(1.0, counts.cpu_s / (counts.wall_s * machine.threads))
        step = _RAPL_STEP_S / counts.wall_s
        joules = [counts.joules, counts.joules * part / (1 + step), counts.joules * (1 + step)]
        return joules, RAPL, "processor packages, with what others on this machine made them spend meanwhile"
    if machine.power is None or not counts.cpu_s > 0:
        return None, UNAVAILABLE, "nothing is known of this machine's processor"
    power = machine.power
    joules = [counts.cpu_s * watts for watts in (power.likely, power.low, power.high)]
    return joules, ESTIMATED, f"processor time of this process; {power.source}"


def _gpu(found: board.Board, counts: Counts) -> list[float] | None:
    """Joules (likely, least, most) of a board; None if they are not known."""
    if counts.wall_s < _SHORT_S or not counts.joules > 0:
        joules = found.watts() * counts.wall_s
        return [joules, joules * 0.5, joules * 1.5] if joules > 0 else None
    step = min(0.5, _BOARD_STEP_S / counts.wall_s)
    return [counts.joules, counts.joules * (1 - step), counts.joules * (1 + step)]


def _amounts(joules: list[float] | None, where: grid.Grid) -> dict[str, Any]:
    said = {"factor": where.factor, "unit": "gCO2e/kWh", "source": where.source}
    if joules is None:
        return {**_UNKNOWN, "grid": said}
    likely, low, high = joules
    return {
        "joules": _rounded(likely),
        "low": _rounded(low),
        "high": _rounded(high),
        "carbon_g": _rounded(likely * where.factor / grid.JOULES_PER_KWH),
        "carbon_low_g": _rounded(low * where.low / grid.JOULES_PER_KWH),
        "carbon_high_g": _rounded(high * where.high / grid.JOULES_PER_KWH),
        "grid": said,
    }


def _rounded(number: float) -> float:
    """To four digits: more would be a pretence."""
    return float(f"{number:.4g}")
