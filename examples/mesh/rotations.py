"""How often the certificates of an Envoy rotated, as the Envoy itself tells it."""

from dataclasses import dataclass, field

from processes import Proxy

from finial.spiffe.certificate import authority_key_id


@dataclass
class Rotations:
    """The certificates that one Envoy had, until when, and by which authorities."""

    serials: dict[int, float] = field(default_factory=dict)
    authorities: list[str] = field(default_factory=list)

    def look(self, proxy: Proxy) -> None:
        """See what it has now."""
        found = proxy.certificate()
        if found is None:
            return
        self.serials[found.serial_number] = found.not_valid_after_utc.timestamp()
        authority = authority_key_id(found)
        if authority not in self.authorities:
            self.authorities.append(authority)

    @property
    def latest(self) -> tuple[int, float]:
        """The serial number of what it has now, and until when."""
        return next(reversed(self.serials.items()), (0, 0.0))

    @property
    def leaves(self) -> int:
        """How often the certificate was replaced."""
        return max(len(self.serials) - 1, 0)

    @property
    def of_authority(self) -> int:
        """How often it was by one of another authority."""
        return max(len(self.authorities) - 1, 0)
