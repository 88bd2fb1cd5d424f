"""How a benchmark measures: rounds interleaved, medians quoted, ratios from one run."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """CPU milliseconds of this process per call of *work*."""
    started = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - started) / times * 1000


def interleaved(
    kinds: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Each kind's figure per round; a round runs every kind once, so that all share its noise."""
    figures: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(rounds):
        for name, measure in kinds.items():
            print(
                f"\r  round {number + 1}/{rounds}: {name:<60}", end="", file=sys.stderr
            )
            figures[name].append(measure())
    print("\r" + " " * 80 + "\r", end="", file=sys.stderr)
    return figures


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which *part* of *values* lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def table(
    title: str, figures: Mapping[str, Sequence[float]], unit: str, one: str
) -> None:
    """Print medians with their range, and each as a multiple of the row *one*, pair by pair."""
    print(f"\n{title}\n")
    print(f"| | {unit}, median (min–max) | ÷ {one} |")
    print("|---|---|---|")
    for name, values in figures.items():
        ratio = statistics.median(
            value / base for value, base in zip(values, figures[one], strict=True)
        )
        print(
            f"| {name} | {statistics.median(values):.3f}"
            f" ({min(values):.3f}–{max(values):.3f}) | {ratio:.2f} |"
        )
