"""Pseudonyms: what stands in records for what identifies people, until their key is taken away."""

from collections.abc import Sequence

from sqlalchemy import Connection

from narthex_plugins.audit.record import Record


class Pseudonyms:
    """Gives pseudonyms by a key for each subject."""

    def stand_in(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        """The records with pseudonyms in the place of what identifies people; within a writer's job."""
        raise NotImplementedError
