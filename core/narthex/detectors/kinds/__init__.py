"""Kinds of secrets for scanning: exact forms, checksums, and what a name beside a value says. Pure, no I/O."""

from narthex.detectors.kinds.catalogue import DESCRIPTIONS, KINDS, NAMED, Described
from narthex.detectors.kinds.kind import Kind, Surety, kind
from narthex.detectors.kinds.search import Found, Searcher

__all__ = ["DESCRIPTIONS", "KINDS", "NAMED", "Described", "Found", "Kind", "Searcher", "Surety", "kind"]
