"""What a process counts for `/metrics` because no table knows it; labels are closed words."""

from collections.abc import Iterator

from prometheus_client import Counter, Metric
from prometheus_client.registry import Collector

from regulars.values.verdict import Verdict


class Counts(Collector):
    """The counters of one process, each from 0 at its start, as Prometheus expects."""

    def __init__(self) -> None:
        self._checks = Counter(
            "regulars_checks",
            "Handles that pages had checked, by verdict.",
            ["verdict"],
            registry=None,
        )
        for verdict in Verdict:
            self._checks.labels(verdict.value)
        self._left_aside = Counter(
            "regulars_signups_left_aside",
            "Public forms that only a program can have filled in; nothing is kept of them.",
            registry=None,
        )

    def check(self, verdict: Verdict) -> None:
        """One more handle was checked."""
        self._checks.labels(verdict.value).inc()

    def left_aside(self) -> None:
        """One more form was answered and forgotten."""
        self._left_aside.inc()

    def collect(self) -> Iterator[Metric]:
        """What was counted so far."""
        yield from self._checks.collect()
        yield from self._left_aside.collect()
