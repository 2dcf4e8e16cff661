"""Migrations: each plugin's tables go their own way from revision to revision, and are never half-way.

Every plugin has an Alembic version table of its own, so switching one off leaves its tables alone and disturbs no
other. All that is due is done in one transaction under one lock: whoever is killed in the middle has changed nothing,
and of several processes that boot at once one migrates while the others wait and then find nothing to do.

What was applied is also noted in `narthex_revisions`, with whether the release before can run on it. So a release
that meets revisions it has never heard of can tell whether it may serve.
"""

from narthex.store.migrations.ledger import exists, noted_plugins
from narthex.store.migrations.losses import Loss
from narthex.store.migrations.run import Applied, WouldLose, current, downgrade, upgrade
from narthex.store.migrations.standing import Ahead, Behind, Standing, Stranger, UpToDate
from narthex.store.migrations.tables import CORE, Tables, with_core

__all__ = [
    "CORE",
    "Ahead",
    "Applied",
    "Behind",
    "Loss",
    "Standing",
    "Stranger",
    "Tables",
    "UpToDate",
    "WouldLose",
    "current",
    "downgrade",
    "exists",
    "noted_plugins",
    "upgrade",
    "with_core",
]
