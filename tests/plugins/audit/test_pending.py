"""Intents whose outcome nobody knows: found however many there are."""

from narthex_plugins.audit.pending import Intent, Pending


def intent(number: int, action: str = "http.POST", request: str = "") -> Intent:
    return Intent(number, f"{number:032x}", "t", request or f"r{number}", action)


def test_what_was_answered_does_not_wait_any_more() -> None:
    pending = Pending()
    for number in range(3):
        pending.add(intent(number))
    pending.answers("r1", "http.POST", whole=False)
    pending.answers("r2", "order.placed", whole=False)  # the app's own word: not what came of the request
    pending.answers("nobody", "http.POST", whole=True)
    pending.answers(None, "http.POST", whole=True)
    assert [one.position for one in pending.first()] == [0, 2]
    pending.answers("r2", "auth.login", whole=True)
    assert [one.position for one in pending.first()] == [0]


def test_more_than_memory_holds_wait_on_the_disk() -> None:
    pending = Pending(held=100)
    for number in range(1000):
        pending.add(intent(number))
    assert len(pending) == 1000
    assert len(pending._open) <= 100
    for number in range(0, 1000, 2):
        pending.answers(f"r{number}", "http.POST", whole=number % 4 == 0)
    assert len(pending) == 500
    assert [one.position for one in pending.first(3)] == [1, 3, 5]


def test_two_intents_of_one_request_wait_both() -> None:
    pending = Pending()
    pending.add(intent(1, request="r"))
    pending.add(intent(2, request="r"))
    assert len(pending) == 2
    pending.answers("r", "http.POST", whole=False)
    pending.answers("r", "http.POST", whole=False)
    assert len(pending) == 0
