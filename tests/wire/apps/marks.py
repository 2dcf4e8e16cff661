"""What the guarded endpoints say, and a note of each time one ran, for answers that do not reach the client."""

ADMIN = "the-admin-endpoint-ran"
PUBLIC = "the-public-endpoint-ran"

ran: list[str] = []


def admin(name: str) -> str:
    """Be the guarded endpoint."""
    ran.append(name)
    return ADMIN
