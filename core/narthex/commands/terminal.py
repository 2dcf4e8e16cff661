"""Colour, where a person looks."""

import os
import sys
from typing import Literal, TextIO

import typer


def paint(text: str, colour: Literal["green", "yellow", "red"], stream: TextIO | None = None) -> str:
    """Colour a text if the stream, standard output unless given, is a terminal that wants it (no-color.org)."""
    return typer.style(text, fg=colour) if wants_colour(stream or sys.stdout) else text


def wants_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal, and neither NO_COLOR nor TERM=dumb speaks against it."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
