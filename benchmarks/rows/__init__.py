"""One module per kind of row. A module added here is found; ORDER says which stand first in the table."""

ORDER = (
    "floor",
    "house",
    "access_log",
    "packages",
    "starlette_auth",
    "auth",
    "access",
    "stack",
    "fastapi",
    "litestar",
    "waiting",
)
