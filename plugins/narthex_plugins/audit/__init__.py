"""Records who did what, so that nobody can change the record unseen, at the price of a hash and a row for each.

How its parts fit together:

    record.make(now, action, outcome, ...) -> Record      checked and mended; its canonical bytes
    Trail(store, instance, clock)                          puts records at the end of the log
        await trail.start()                                in the plugin's `start`, before anything else here
        await trail.keep([record, ...]) -> [Link, ...]     on disk when it returns (strict)
        trail.post([record, ...]) -> bool                  soon (batched); trail.job(...) is the job itself
    Trail needs `tables` given by the plugin's `tables` hook: `tables.tables`.
    segments.kept(connection, instance) -> [Segment, ...]  the oldest first; `segment.table` is a SQLAlchemy table with
                                                           the columns of `segments.COLUMNS`, `record` and `position`;
                                                           indexes (column, time, position) serve filters, newest first
    Checkpointer(house, settings, instance)                signs the log from time to time; `start`, `run`, `stop`
    Pseudonyms                                             what stands for a person's name; `find` for filters

An intent is a record with the outcome `record.INTENT`; what came of it is the next record with the same `request_id`
and the same `action`.
"""
