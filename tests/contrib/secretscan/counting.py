"""How many samples of a half are found, and how many should not have been."""

from collections.abc import Iterable

from narthex_contrib.secretscan.scanning import scan_text
from narthex_contrib.secretscan.settings import ScanSettings
from tests.contrib.secretscan.corpus_a import Sample

SETTINGS = ScanSettings.model_validate({})


def found(samples: Iterable[Sample]) -> list[bool]:
    """For each sample whether anything was found in it."""
    return [bool(scan_text(name, text, SETTINGS)[0]) for name, text in samples]
