"""The commands of `narthex`, one module each, imported when its name is typed."""
