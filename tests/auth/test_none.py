"""`type: none` adds nothing."""

from runner.auth.none import Config
from tests.auth.wire import added


def test_nothing_is_added() -> None:
    sent = added("none", Config(), {})
    assert (sent.headers, sent.query, sent.registered) == ([], [], {})
