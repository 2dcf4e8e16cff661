"""What may stay, by the configuration; and which exemptions exempt nothing any more."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from narthex_contrib.secretscan.files import matcher
from narthex_contrib.secretscan.scanning import Finding
from narthex_contrib.secretscan.settings import Exempt


@dataclass(frozen=True, slots=True)
class Stale:
    """An exemption that nothing needs: where it stands, and what it said."""

    where: str
    what: str


class Exemptions:
    """The exemptions of a configuration.

    Args:
        tables: as they stand in it.
        source: its file, for messages.
        today: on which day they are looked at.
    """

    def __init__(self, tables: Iterable[Exempt], source: str, today: date) -> None:
        self._tables = [(one, matcher([one.path]), re.compile(one.pattern or ".*", re.DOTALL)) for one in tables]
        self._source = source
        self._today = today
        self._used: set[int] = set()

    def judge(self, finding: Finding) -> Finding:
        """The finding, exempted where one of them covers it; one that has run out is named."""
        if finding.exempted:
            return finding
        for number, (one, path, pattern) in enumerate(self._tables):
            if not (path(finding.path) and fnmatchcase(finding.kind, one.kind) and pattern.fullmatch(finding.secret)):
                continue
            self._used.add(number)
            if one.until is not None and one.until < self._today:
                finding = replace(finding, note=f"its exemption ran out on {one.until}: {one.reason}")
                continue
            return replace(finding, reason=one.reason, exempted="configuration", note="")
        return finding

    def stale(self) -> list[Stale]:
        """Those that covered nothing; worth asking after all of a repository was looked at."""
        return [
            Stale(self._source, f"exempt path {one.path!r}, kind {one.kind!r}: {one.reason}")
            for number, (one, _, _) in enumerate(self._tables)
            if number not in self._used
        ]
