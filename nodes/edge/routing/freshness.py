"""What a rule says about freshness, per status; None everywhere: as the response says.

It works out no lifetime: `caching/` does, given one of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nodes.edge.caching.override import NO_OVERRIDE, Override
from nodes.edge.routing.table import Table

KEYS = ("ttl", "stale_while_revalidate", "stale_if_error", "heuristics", "status")


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """An override for every status, and others for single statuses."""

    usual: Override | None = None
    by_status: dict[int, Override] = field(default_factory=dict)

    def override(self, status: int) -> Override | None:
        """For a response of that status."""
        return self.by_status.get(status, self.usual)


def freshness_rule(table: Table | None) -> FreshnessRule:
    """The rule that a `[route.freshness]` table states. Raises RulesError."""
    if table is None:
        return FreshnessRule()
    table.only(*KEYS)
    usual = Override(
        table.seconds("ttl"), table.seconds("stale_while_revalidate"), table.seconds("stale_if_error"),
        table.flag("heuristics", True),
    )  # fmt: skip
    found, statuses = {}, table.table("status")
    for text in {} if statuses is None else statuses.values:
        assert statuses is not None
        if not (len(text) == 3 and text.isascii() and text.isdigit() and int(text) >= 200):
            statuses.wrong(text, text, 'a status from 200 to 999 as key, such as 404 = "10s"')
        found[int(text)] = replace(usual, ttl_s=statuses.seconds(text))
    return FreshnessRule(None if usual == NO_OVERRIDE else usual, found)
