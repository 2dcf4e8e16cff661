"""How core's own tables came to be what `narthex.store.schema` says."""
