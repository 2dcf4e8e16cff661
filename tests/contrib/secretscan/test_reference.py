from pathlib import Path

from narthex_contrib.secretscan.reference import page


def test_the_page_of_kinds_is_the_catalogue() -> None:
    kept = (Path(__file__).parents[3] / "docs/reference/secret-types.md").read_text("utf-8")
    assert kept == page(), "make docs"
