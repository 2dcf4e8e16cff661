from pydantic import Field

from narthex import Settings


class GuestbookSettings(Settings):
    """Where the book lies open."""

    path: str = Field(default="/guestbook", description="Path of the book, below `prefix`.")
    shown: int = Field(default=20, ge=1, le=1000, description="How many visits are shown, the latest first.")
