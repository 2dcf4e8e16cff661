"""Says who asks: signed tokens, sessions and passwords; a request with a known token costs one hash and one look-up."""
