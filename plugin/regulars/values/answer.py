"""One submission, parsed: what a form, a shop platform's webhook and an import all make."""

from dataclasses import dataclass

from regulars.values.contact import Address, Channel, Kind


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person said at one moment; every value in it has passed its parser.

    *addresses* holds at most one address of a kind. *channels* is ranked, the first
    being the preferred one. *x_link*, *contact_wording*, *conversation_x* and the
    second half of each of *offers* are wording keys: the texts that were agreed to.
    *receipt* is the token of an earlier handle check, still unverified.
    """

    addresses: tuple[Address, ...] = ()
    channels: tuple[Channel, ...] = ()
    x_link: str | None = None
    contact_wording: str | None = None
    conversation_x: str | None = None
    offers: tuple[tuple[Channel, str], ...] = ()
    given_name: str | None = None
    family_name: str | None = None
    topics: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    external_id: str | None = None
    order_id: str | None = None
    receipt: str | None = None
    surface: str = "checkout"
    locale: str | None = None

    @property
    def is_empty_but_for_external_id(self) -> bool:
        """Whether nothing was said that is worth a row: no address and no channel.

        Such a form counts only if its external id belongs to a known customer.
        """
        return not self.addresses and not self.channels

    def address(self, kind: Kind) -> Address | None:
        """The address of *kind*, or None if none was given."""
        return next((a for a in self.addresses if a.kind is kind), None)
