"""What looks like a secret: pure, no I/O. Redaction of logs and the scanning of files share it."""

from narthex.detectors.catalogue import DETECTORS
from narthex.detectors.detector import Detector, Finder, Finding
from narthex.detectors.names import Names, Weight
from narthex.detectors.redactor import MASK, Redactor

__all__ = ["DETECTORS", "MASK", "Detector", "Finder", "Finding", "Names", "Redactor", "Weight"]
