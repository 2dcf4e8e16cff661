"""Find secrets in files, staged changes and history before they leave: `narthex scan`.

What a secret looks like is told in `narthex.detectors.kinds`, which does no I/O; here is what is round it. `files` and
`repository` bring texts, `scanning` looks through one, `workers` through many at once, `exemptions` and `baseline` say
what is known and why, `report` and `sarif` tell the rest.
"""
