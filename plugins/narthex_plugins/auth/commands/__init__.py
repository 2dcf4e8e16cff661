"""Commands of the plugin auth: `narthex users` and `narthex keys`."""
