"""An access token of a run: how long it may be used."""

from runner.frozen import dataclass

MARGIN = 60.0
"""Seconds before its end from which a token is not used any more, and up to half as many again by chance: runs that
start in the same minute then do not all renew in the same second."""
MOST_OF_LIFE = 0.2
"""No margin is longer than this part of a token's life."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Token:
    """A token and what came with it; times in seconds since 1970. `expires_at` None: until it is refused."""

    value: str
    obtained_at: float
    expires_at: float | None
    refresh: str | None = None
    scope: str = ""

    def fresh(self, now: float, jitter: float) -> bool:
        """Tell whether it may still be used; `jitter` is a number between 0 and 1 that stays the same for a process."""
        if self.expires_at is None:
            return True
        life = max(0.0, self.expires_at - self.obtained_at)
        return now < self.expires_at - min(MARGIN * (1 + jitter / 2), life * MOST_OF_LIFE)
