"""Input files: what is wrong in one is told with its place, and nothing of what stands there."""

import pytest

from runner.cli.workflow_inputs import _parse
from runner.errors import UsageError


@pytest.mark.parametrize(
    "text", ['{"a": "one-secret",\n "a": "another-secret"}', "a: one-secret\na: another-secret\n"]
)
def test_a_key_that_stands_twice(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        _parse(text, "'in.json'")
    assert "the key 'a' stands here twice (line 2, column" in caught.value.message
    assert "secret" not in caught.value.message


def test_numbers_keep_their_text() -> None:
    assert repr(_parse('{"a": 1.10, "b": [{"a": 1}, {"a": 2}]}', "in")["a"]) == "1.10"
