"""Commands of the plugin revocation: `narthex tokens` and `narthex sessions`."""
