"""An app that needs what is not installed."""

import not_installed_anywhere  # type: ignore[import-not-found]  # noqa: F401  that is the point
