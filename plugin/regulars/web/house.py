"""The house: the parts that a process is made of, handed to each face by ``app``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from flask_limiter import Limiter

from regulars.check.gate import Gate
from regulars.check.lookup import HandleLookup
from regulars.keep.db import Database
from regulars.keep.journal import journal_folder
from regulars.keep.record import Recorder
from regulars.keep.wordings import WordingBook
from regulars.settings import Settings
from regulars.signup import SignupDesk
from regulars.values.wording import (
    Wording,
    render_labels,
    render_wording,
    wording_ids,
)
from regulars.web.counts import Counts


@dataclass(frozen=True, slots=True)
class House:
    """Settings and the parts made from them; one for the life of a process.

    ``check_lookup`` is what the public check asks: it spends a share of the budget at most.
    """

    settings: Settings
    database: Database
    gate: Gate
    recorder: Recorder
    wording_book: WordingBook
    signup_desk: SignupDesk
    limiter: Limiter
    clock: Callable[[], datetime]
    check_lookup: HandleLookup
    counts: Counts = field(default_factory=Counts)

    @property
    def journal_folder(self) -> Path:
        """Where the erasure journal is."""
        return journal_folder(self.database, self.settings.data_dir)

    def wordings(self, language: str) -> dict[str, Wording]:
        """The wordings in force, by id; stored under their keys before anybody sees them."""
        settings = self.settings
        texts = [
            (
                wording_id,
                language,
                render_wording(
                    wording_id,
                    language,
                    shop_name=settings.shop_name,
                    privacy_url=settings.privacy_url or None,
                ),
            )
            for wording_id in wording_ids(settings.channels)
        ]
        return self.wording_book.put_in_force(texts, self.clock())

    def labels(self, language: str) -> dict[str, Wording]:
        """The wordings that fit on a label, by id; stored as the longer ones are."""
        texts = render_labels(language, shop_name=self.settings.shop_name)
        rows = [(wording_id, language, text) for wording_id, text in texts.items()]
        return self.wording_book.put_in_force(rows, self.clock())
