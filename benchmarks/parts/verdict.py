"""What the figures of the inference benchmark say: agreement with fp32, ratios, goals met or not, and tables."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from parts.servers import BACKENDS, SERVERS

_PEERS = [server for server in SERVERS if not server.backend]


def agree(results: dict[str, Any]) -> None:
    """Put the share of labels equal to the reference's, and the largest difference of a probability, in the place of
    labels and probabilities themselves."""
    reference = results["reference"]
    names, wanted = reference.pop("names"), reference.pop("probabilities")
    labels = [names[_best(row)] for row in wanted]
    for figures in results.values():
        if probabilities := figures.pop("probabilities", None):
            equal = [_best(one) == _best(other) for one, other in zip(wanted, probabilities, strict=True)]
            figures["agreement"] = sum(equal) / len(equal)
            pairs = zip(chain(*wanted), chain(*probabilities), strict=True)
            figures["largest_difference"] = round(max(abs(one - other) for one, other in pairs), 5)
        elif found := figures.pop("labels", None):
            figures["agreement"] = sum(one == other for one, other in zip(labels, found, strict=False)) / len(found)


def goals(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """For each goal and backend the value and whether it is met; what was not measured is left out."""
    found: dict[str, dict[str, Any]] = {}

    def note(goal: str, backend: str, value: float, met: bool) -> None:
        found.setdefault(goal, {})[backend] = {"value": round(value, 4), "met": met}

    fastest, with_bf16 = _fastest(results, fp32=True), _fastest(results, fp32=False)
    for backend in BACKENDS:
        served, inside = results.get(f"evergreen {backend}"), results.get(f"inside {backend}")
        if served is not None:
            if fastest is not None:
                ratio = served["32"]["per_s"] / fastest["32"]["per_s"]
                note("at 32: times the fastest peer's requests/s (2 or more)", backend, ratio, ratio >= 2)
                ratio = served["32"]["p99_ms"] / fastest["32"]["p99_ms"]
                note("at 32: p99 against that peer's (below 1)", backend, ratio, ratio < 1)
            if with_bf16 is not None and with_bf16 is not fastest:
                ratio = served["32"]["per_s"] / with_bf16["32"]["per_s"]
                note("the same, of peers in bf16 too (2 or more)", backend, ratio, ratio >= 2)
            seconds = served["first_answer_s"]
            note("seconds to the first answer (below 3)", backend, seconds, seconds < 3)
        if inside is not None:
            share = inside["production"]["per_s"] / inside["bare"]["per_s"]
            note("at 32: share of the bare model at its best (0.85 or more)", backend, share, share >= 0.85)
            added = inside["one"]["added_ms"]
            note("at 1: ms added to the bare forward, p50 (below 2)", backend, added, added < 2)
            ratio = inside["list"]["per_cpu_s"] / results["reference"]["per_cpu_s"]
            for times, share in ((3, 0.995), (2, 0.999)):
                goal = f"times the reference per cpu-s ({times} or more, {share:.1%} of labels equal)"
                note(goal, backend, ratio, ratio >= times and inside["agreement"] >= share)
    return found


def tables(results: Mapping[str, Any], judged: Mapping[str, Mapping[str, Any]]) -> str:
    """All of it for people."""
    parts = (_inside(results), _served(results), _pictures(results), _judged(judged), _said(results))
    return "\n\n".join("\n".join(part) for part in parts if part)


def of_gpu(figures: Mapping[str, Any]) -> str:
    """A sentence on the GPU."""
    if not figures["measured"]:
        return f"GPU: not measured: {figures['why']}."
    return (
        f"GPU {figures['device']}: {figures['product_per_s']:,.0f} texts/s, {figures['product_share_of_peak']:.1%} of "
        f"{figures['peak_flops'] / 1e12:.0f} TFLOP/s in bf16, measured; {figures['ratio']:.2f} times "
        f"pipeline(batch_size={figures['pipeline_batch']}) with {figures['pipeline_per_s']:,.0f} texts/s and "
        f"{figures['pipeline_share_of_peak']:.1%}."
    )


def _best(row: Sequence[float]) -> int:
    return max(range(len(row)), key=row.__getitem__)


def _fastest(results: Mapping[str, Any], fp32: bool) -> Any:
    """The peer with the most requests a second at 32."""
    peers = [results[peer.name] for peer in _PEERS if peer.name in results and (peer.fp32 or not fp32)]
    return max(peers, key=lambda figures: figures["32"]["per_s"], default=None)


def _inside(results: Mapping[str, Any]) -> list[str]:
    reference = results["reference"]
    lines = [
        f"{'in one process':24} {'bare/s':>8} {'32: /s':>8} {'bare':>8} {'of 32':>8} {'list':>8} {'32':>8} "
        f"{'bare p50':>9} {'p50':>7} {'p99':>7} {'added':>7} {'labels':>8} {'largest':>8}",
        f"{'':24} {'':>8} {'':>8} {'/cpu-s':>8} {'/cpu-s':>8} {'/cpu-s':>8} {'/cpu-s':>8} "
        f"{'1: ms':>9} {'1: ms':>7} {'1: ms':>7} {'1: ms':>7} {'equal':>8} {'diff.':>8}",
        f"{'reference':24} {reference['per_s']:8.1f} {'':>8} {reference['per_cpu_s']:8.1f} {'':>8} {'':>8} {'':>8} "
        f"{reference['p50_ms']:9.1f} {'':>7} {reference['p99_ms']:7.1f}",
    ]
    for backend in BACKENDS:
        if one := results.get(f"inside {backend}"):
            single = one["one"]
            lines.append(
                f"{backend:24} {one['bare']['per_s']:8.1f} {one['production']['per_s']:8.1f} "
                f"{one['bare']['per_cpu_s']:8.1f} {one['of 32']['per_cpu_s']:8.1f} {one['list']['per_cpu_s']:8.1f} "
                f"{one['production']['per_cpu_s']:8.1f} "
                f"{single['bare_p50_ms']:9.1f} {single['p50_ms']:7.1f} {single['p99_ms']:7.1f} "
                f"{single['added_ms']:7.2f} {one['agreement']:8.2%} {one['largest_difference']:8.4f}"
            )
    return lines


def _served(results: Mapping[str, Any]) -> list[str]:
    lines = [
        f"{'over HTTP':26} {'1: /s':>7} {'p50 ms':>7} {'p99 ms':>7} {'32: /s':>7} {'p50 ms':>8} {'p99 ms':>8} "
        f"{'/cpu-s':>7} {'labels':>8} {'RSS MB':>7} {'start s':>8}"
    ]
    for server in SERVERS:
        if one := results.get(server.name):
            single, many = one["1"], one["32"]
            lines.append(
                f"{server.name:26} {single['per_s']:7.1f} {single['p50_ms']:7.1f} {single['p99_ms']:7.1f} "
                f"{many['per_s']:7.1f} {many['p50_ms']:8.1f} {many['p99_ms']:8.1f} {many['per_cpu_s']:7.1f} "
                f"{one['agreement']:8.2%} {one['rss_mb']:7.0f} {one['first_answer_s']:8.1f}"
            )
    return lines if len(lines) > 1 else []


def _pictures(results: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {one['ms']:.0f} ms a picture, {one['forward_ms']:.0f} ms of it the forward, "
        f"{one['share_around']:.1%} before and after it"
        for name, one in results.get("pictures", {}).items()
    ]


def _judged(judged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    if not judged:
        return []
    lines = [f"{'goal':64} {' '.join(f'{backend:>14}' for backend in BACKENDS)}"]
    for goal, by_backend in judged.items():
        cells = []
        for backend in BACKENDS:
            one = by_backend.get(backend)
            cells.append(f"{one['value']:8.2f} {'met' if one['met'] else 'not':>5}" if one else "")
        lines.append(f"{goal:64} {' '.join(f'{cell:>14}' for cell in cells)}")
    return lines


def _said(results: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {one['said']}" for name, one in results.items() if one.get("said")]
