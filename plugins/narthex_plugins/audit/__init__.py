"""Records who did what, so that nobody can change the record unseen, at the price of a hash and a row for each.

How its parts fit together:

    record.make(now, action, outcome, ...) -> Record      checked and mended; its canonical bytes
    Trail(store, instance, clock, sealer)                  puts records at the end of the log
        await trail.start()                                in the plugin's `start`, before anything else here
        await trail.keep([record, ...]) -> [Link, ...]     on disk when it returns (strict)
        trail.post([record, ...]) -> bool                  soon (batched); trail.job(...) is the job itself
    Trail needs `tables` given by the plugin's `tables` hook: `tables.tables`.
    segments.kept(connection, instance) -> [Segment, ...]  the oldest first; `segment.table` is a SQLAlchemy table with
                                                           the columns of `segments.COLUMNS`, `record` and `position`;
                                                           indexes (column, time, position) serve filters, newest first
    narthex.sealing.sealer_of(house.settings, "audit", "the key that signs its log") -> Sealer
    checkpoint_settings.CheckpointSettings, RetentionSettings      fields `checkpoints` and `retention` of the settings
    signing.Checkpointer(house, trail, settings.checkpoints, settings.retention)
        after `trail.start`: house.spawn(.run, "checkpoints");   .health();
        await .stop()    once the queue is empty;   await .turn(force=True)   signs and publishes now
        metrics: narthex_audit_damaged (page somebody), narthex_audit_publish_failures_total, ..._checkpoints_total
    Pseudonyms(instance, settings.pseudonyms, sealer)      what stands for a person's name: `find` for filters, `names`
                                                           for what is shown, `erase`
    reading.verify_store, verify_lines; proving.prove, check       what shows that the log is whole

An intent is a record with the outcome `record.INTENT`; what came of it is the next record with the same `request_id`
that has the same `action`, or `method` and `status` among its details: a login is one record, with that name.
"""

from narthex_plugins.audit.app import record

__all__ = ["record"]
