"""What a piece of work cost, by whichever method the machine allows."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from energy import Meter, SettingRefused, unavailable
from energy.board import Board, _identity, find
from energy.grid import Grid
from energy.ledger import Counts, Ledger
from energy.meter import Machine, Measurement, line
from unit.energy.machines import Powercap, cpuinfo

FRANCE = Grid(50.0, 50.0, 50.0, "a test")


def burn(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(1000))


@pytest.fixture
def estimating(tmp_path: Path) -> Meter:
    return Meter(FRANCE, machine=Machine(tmp_path / "none", cpuinfo(tmp_path)))


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    return Powercap(tmp_path / "powercap")


@pytest.fixture
def measuring(powercap: Powercap, tmp_path: Path) -> Meter:
    return Meter(FRANCE, machine=Machine(powercap.root, cpuinfo(tmp_path)))


def test_processor_time_times_watts_where_nothing_is_measured(estimating: Meter) -> None:
    with estimating.measure() as spent:
        burn(0.05)
        time.sleep(0.05)
    cost = spent.result
    assert cost is not None
    assert cost["method"] == "estimated-tdp"
    assert 0.05 <= cost["cpu_s"] < cost["duration_s"]
    watts = [cost[key] / cost["cpu_s"] for key in ("low", "joules", "high")]
    assert watts == pytest.approx([1.5, 2.42, 6.1], rel=0.01)
    assert cost["carbon_g"] == pytest.approx(cost["joules"] / 3.6e6 * 50, rel=0.01)
    assert cost["carbon_low_g"] < cost["carbon_g"] < cost["carbon_high_g"]
    assert cost["grid"] == {"factor": 50.0, "unit": "gCO2e/kWh", "source": "a test"}
    assert cost["shared"] is False
    assert "3rd generation" in cost["scope"]


def test_packages_that_can_be_read_are_measured(measuring: Meter, powercap: Powercap) -> None:
    with measuring.measure() as spent:
        burn(0.02)
        powercap.add(3)
    cost = spent.result
    assert cost is not None
    assert cost["method"] == "measured-rapl"
    assert cost["joules"] == pytest.approx(3)
    assert 0 < cost["low"] < 3 < cost["high"] < 3.3
    assert "packages" in cost["scope"]


def test_a_counter_that_did_not_move_is_not_a_cost_of_nothing(measuring: Meter) -> None:
    with measuring.measure() as spent:
        burn(0.001)
    assert spent.result is not None
    assert spent.result["method"] == "estimated-tdp"
    assert spent.result["low"] > 0


def test_a_counter_that_goes_away_in_the_middle(measuring: Meter, powercap: Powercap) -> None:
    with measuring.measure() as spent:
        burn(0.001)
        powercap.add(3)
        (powercap.root / "intel-rapl:0" / "energy_uj").write_text("")
    assert spent.result is not None
    assert spent.result["method"] == "estimated-tdp"


def test_unknown_is_none_and_never_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc64")
    meter = Meter(FRANCE, machine=Machine(tmp_path, tmp_path / "none"))
    with meter.measure() as spent:
        burn(0.001)
    hosted = unavailable("a hosted model")
    for cost in (spent.result, hosted):
        assert cost is not None
        assert cost["method"] == "unavailable"
        for key in ("joules", "low", "high", "carbon_g", "carbon_low_g", "carbon_high_g"):
            assert cost[key] is None
        assert cost["scope"]
    assert "unavailable" in line(spent.result)


@pytest.mark.parametrize("device", ["mps", "xpu:0", "cuda:0"])
def test_a_device_whose_energy_is_not_known_makes_the_whole_unknown(estimating: Meter, device: str) -> None:
    with estimating.measure(device) as spent:
        burn(0.001)
    assert spent.result is not None
    assert (spent.result["method"], spent.result["joules"]) == ("unavailable", None)
    assert device in spent.result["scope"]


def test_without_the_package_or_the_driver_there_is_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("cuda:0") is None
    monkeypatch.setitem(sys.modules, "pynvml", None)  # an import of it fails
    assert find("cuda:0") is None


class Nvml:
    """A GPU's counter and sensor, with the functions, units and error of nvidia-ml-py."""

    class NVMLError(Exception):
        pass

    def __init__(self) -> None:
        self.millijoules, self.milliwatts = 5_000_000, 300_000

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        if not self.millijoules:
            raise self.NVMLError("Not Supported")
        return self.millijoules

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:
        return self.milliwatts


@pytest.fixture
def nvml(estimating: Meter) -> Nvml:
    nvml = Nvml()
    board = Board(nvml, "handle")
    ledger = Ledger(lambda: Counts(time.perf_counter(), 0.0, board.joules()))
    assert estimating.machine is not None
    estimating.machine._boards["cuda:0"] = (board, ledger)
    return nvml


def test_long_work_on_a_gpu_is_what_its_counter_counted(estimating: Meter, nvml: Nvml) -> None:
    with estimating.measure("cuda:0") as spent:
        time.sleep(0.25)
        nvml.millijoules += 100_000
    cost = spent.result
    assert cost is not None
    assert cost["method"] == "measured-gpu-counter"
    assert cost["joules"] == pytest.approx(100, abs=1)
    assert 50 <= cost["low"] < 100 < cost["high"] <= 151
    assert "cuda:0" in cost["scope"]
    assert "estimated-tdp" in cost["scope"], "the processor's part beside it"


def test_short_work_on_a_gpu_does_not_wait_for_its_slow_counter(estimating: Meter, nvml: Nvml) -> None:
    with estimating.measure("cuda:0") as spent:
        time.sleep(0.02)
    cost = spent.result
    assert cost is not None
    assert cost["method"] == "measured-gpu-counter"
    assert cost["joules"] == pytest.approx(300 * cost["duration_s"], rel=0.2)


def test_a_gpu_that_cannot_be_read_any_longer_makes_the_whole_unknown(estimating: Meter, nvml: Nvml) -> None:
    with estimating.measure("cuda:0") as spent:
        time.sleep(0.001)
        nvml.millijoules = nvml.milliwatts = 0
    assert spent.result is not None
    assert (spent.result["method"], spent.result["joules"]) == ("unavailable", None)


@pytest.mark.parametrize(("used", "method"), [(True, "measured-gpu-counter"), (False, "estimated-tdp")])
def test_work_that_may_use_a_gpu(
    estimating: Meter, nvml: Nvml, monkeypatch: pytest.MonkeyPatch, used: bool, method: str
) -> None:
    monkeypatch.setattr("energy.board.in_use", lambda: used)
    with estimating.measure("auto") as spent:
        burn(0.01)
    assert spent.result is not None
    assert spent.result["method"] == method


@pytest.mark.parametrize(
    ("visible", "device", "name"),
    [("", "cuda:1", "1"), ("3,5", "cuda:1", "5"), ("GPU-8f", "cuda", "GPU-8f"), ("3", "cuda:2", "2")],
)
def test_the_board_that_torch_means(monkeypatch: pytest.MonkeyPatch, visible: str, device: str, name: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert _identity(device) == name


def test_the_parts_of_a_batch_add_up_to_it(measuring: Meter, powercap: Powercap) -> None:
    members = [measuring.measure() for _ in range(3)]
    for member in members:
        member.__enter__()
    members[0].weigh([(members[0], 0.5), (members[1], 0.3), (members[2], 0.2)])
    burn(0.02)
    powercap.add(10)
    members[0].weigh([(member, 0.0) for member in members])
    powercap.add(7)  # nobody works
    for member in members:
        member.__exit__(None, None, None)
    costs = [member.result for member in members]
    assert [cost["joules"] for cost in costs if cost] == pytest.approx([5, 3, 2], rel=0.01)
    assert all(cost["shared"] for cost in costs if cost)


def test_work_apart_is_logged_and_not_counted_to_the_request(estimating: Meter) -> None:
    lines: list[str] = []
    estimating.log = lines.append
    with estimating.measure() as spent:
        burn(0.01)
        with spent.aside("Loading a-model"):
            burn(0.1)
    assert spent.result is not None
    assert spent.result["cpu_s"] < 0.1
    assert len(lines) == 1
    assert lines[0].startswith("Loading a-model: ")
    assert "J (" in lines[0]
    assert "estimated-tdp" in lines[0]


def test_work_beside_that_lasts_longer_than_the_request(estimating: Meter) -> None:
    lines: list[str] = []
    estimating.log = lines.append
    with estimating.measure() as spent:
        beside = spent.aside("Choosing", pause=False)
        beside.__enter__()
        burn(0.04)
    burn(0.1)
    beside.__exit__(None, None, None)
    assert spent.result is not None
    assert spent.result["cpu_s"] == pytest.approx(0.02, rel=0.3), "half of what was spent while both were at work"
    assert len(lines) == 1
    assert estimating.machine is not None
    assert estimating.machine.ledger._shares == 0


def test_a_load_that_fails_gives_the_request_its_share_back(estimating: Meter) -> None:
    with estimating.measure() as spent:
        with pytest.raises(OSError, match="broken"), spent.aside("Loading"):
            raise OSError("broken")
        burn(0.02)
    assert spent.result is not None
    assert spent.result["cpu_s"] >= 0.02


def test_what_it_has_cost_so_far_only_grows(measuring: Meter, powercap: Powercap) -> None:
    with measuring.measure() as spent:
        powercap.add(1)
        burn(0.002)
        early = spent.so_far()
        powercap.add(1)
    assert spent.result is not None
    assert early["joules"] == pytest.approx(1)
    assert spent.result["joules"] == pytest.approx(2)
    assert spent.so_far() == spent.result


def test_turned_off_nothing_is_measured() -> None:
    meter = Meter.parse(energy="false", country="XXX")
    with meter.measure() as spent, spent.aside("Loading"):
        spent.weigh([(spent, 0.5)])
    assert meter.machine is None
    assert spent.result is None
    assert spent.so_far()["method"] == "unavailable"
    assert not meter.on


def test_one_that_is_turned_off_in_a_batch_leaves_the_others_theirs(estimating: Meter) -> None:
    with Meter(None).measure() as silent, estimating.measure() as spent:
        silent.weigh([(silent, 0.5), (spent, 0.0)])
        burn(0.02)
    assert spent.result is not None
    assert spent.result["cpu_s"] < 0.01


def test_the_settings_as_they_are_typed() -> None:
    assert Meter.parse(energy="", factor="30").where == Grid(30, 30, 30, "the setting grid_gco2_per_kwh")
    with pytest.raises(SettingRefused, match=r"energy is 'maybe'. Write true or false"):
        Meter.parse(energy="maybe")


def test_a_result_is_json(measuring: Meter, powercap: Powercap) -> None:
    with measuring.measure() as spent:
        powercap.add(2)
    text = json.dumps(spent.result, allow_nan=False)
    assert json.loads(text) == spent.result
    assert len(text) < 700, "every answer carries it"


def test_threads_together_claim_no_more_than_there_was(measuring: Meter, powercap: Powercap) -> None:
    costs: list[Measurement] = []
    gate = threading.Barrier(6)

    def work() -> None:
        gate.wait()
        with measuring.measure() as spent:
            burn(0.01)
        costs.append(spent)

    threads = [threading.Thread(target=work) for _ in range(5)]
    with measuring.measure() as around:
        before = time.process_time()
        for thread in threads:
            thread.start()
        gate.wait()
        for _ in range(20):
            powercap.add(0.5)
            time.sleep(0.002)
        for thread in threads:
            thread.join()
        cpu_s = time.process_time() - before
    results = [one.result for one in (*costs, around)]
    measured = sum(cost["joules"] for cost in results if cost and cost["method"] == "measured-rapl")
    assert measured == pytest.approx(10, rel=0.01)
    assert sum(cost["cpu_s"] for cost in results if cost) == pytest.approx(cpu_s, rel=0.2)


@pytest.mark.parametrize(("meter", "most_us"), [("estimating", 50), ("measuring", 200)])
def test_measuring_costs_little(meter: str, most_us: float, request: pytest.FixtureRequest) -> None:
    metering: Meter = request.getfixturevalue(meter)
    best_s = min(_time_of(metering) for _ in range(20))
    assert best_s * 1e6 < most_us


def _time_of(meter: Meter, times: int = 50) -> float:
    """Processor time of one measurement: what else the machine does must not matter."""
    began = time.thread_time()
    for _ in range(times):
        with meter.measure():
            pass
    return (time.thread_time() - began) / times
