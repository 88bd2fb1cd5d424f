"""The worker: the loops beside the web, for deliveries, rechecks and retention a thread each.

Whatever goes wrong in a round is logged and the next round goes on: the rows that it
was about are still there.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from regulars.recheck import Recheck
from regulars.retention import Retention
from regulars.tell.dispatcher import Dispatcher
from regulars.x_accounts.refresh import Refresh

log = logging.getLogger(__name__)

RECHECK_EVERY_S = 0.5
# How often it is asked whether the day's sweep has been made.
_RETENTION_EVERY_S = 60.0
_PAUSE_AFTER_TROUBLE_S = 1.0


class Worker:
    """Runs the loops of one dispatcher process until it is told to stop."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        recheck: Recheck | None,
        clock: Callable[[], datetime],
        refresh: Refresh | None = None,
        retention: Retention | None = None,
    ) -> None:
        """Without *recheck* (X is not asked in this mode) no handle is looked at."""
        self._dispatcher = dispatcher
        self._recheck = recheck
        self._refresh = refresh
        self._retention = retention
        self._clock = clock
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask the loops to end; safe in a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Work until ``stop()``."""
        rechecks = threading.Thread(target=self._run_rechecks, name="recheck")
        sweeps = threading.Thread(target=self._run_retention, name="retention")
        if self._recheck is not None:
            rechecks.start()
        sweeps.start()
        while not self._stop.is_set():
            self._guarded(lambda: self._dispatcher.run(self._stop))
        if self._recheck is not None:
            rechecks.join()
        sweeps.join()

    def _run_rechecks(self) -> None:
        recheck = self._recheck
        if recheck is None:
            return
        while not self._stop.wait(RECHECK_EVERY_S):
            self._guarded(lambda: recheck.run_due(self._clock()))
            if (refresh := self._refresh) is not None:
                self._guarded(lambda: refresh.run_due(self._clock()))

    def _run_retention(self) -> None:
        retention = self._retention
        if retention is None:
            return
        while not self._stop.wait(_RETENTION_EVERY_S):
            self._guarded(lambda: retention.run_due(self._clock(), self._stop.is_set))

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - the outermost loop: nothing may end it
            # The type alone: a database error's text can quote the row it failed on.
            log.error("round failed", extra={"error": type(error).__name__})  # noqa: TRY400
            self._stop.wait(_PAUSE_AFTER_TROUBLE_S)
