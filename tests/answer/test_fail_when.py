"""Errors that say they are successes: `fail_when` and `error_message`."""

import json
from pathlib import Path

import pytest

from runner.sensitive import MASK
from tests.answer.judged import SECRET, result_of
from tests.servers.http import Server, reply


def test_fail_when_and_error_message(api: Server, tmp_path: Path) -> None:
    connection = {"fail_when": "{{ not response.body.ok }}", "error_message": "{{ response.body.error }}"}
    result = result_of(api.url, tmp_path, "/body/error-in-200", connection=connection)
    assert result["error"]["kind"] == "expectation"
    assert result["error"]["message"] == "the server answered 200, but it is an error: channel_not_found"
    assert result["error"]["file"] == "connections.d/api.yaml"
    assert result_of(api.url, tmp_path / "b", "/body/json", connection=connection)["status"] == ("succeeded")


@pytest.mark.parametrize("text", ["{{ false }}", "false", "{{ '' }}", "{{ none }}", "{{ 0 }}"])
def test_fail_when_that_is_false(text: str, api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, "/body/json", connection={"fail_when": text})
    assert result["status"] == "succeeded"


def test_the_error_of_the_api_stands_beside_its_status(api: Server, tmp_path: Path) -> None:
    connection = {"error_message": "{{ response.body.detail }}\n{{ response.body.title }}"}
    result = result_of(api.url, tmp_path, "/body/problem", connection=connection)
    assert result["error"]["message"] == (
        "the server answered 422 Unprocessable Entity: days must be positive Invalid"
    )


@pytest.mark.parametrize(
    "text", ["{{ response.body.nothing }}", "{{ response.body.nothing | default(none) }}"]
)
def test_an_error_message_that_is_not_there(text: str, api: Server, tmp_path: Path) -> None:
    connection = {"error_message": text}
    result = result_of(api.url, tmp_path, "/body/problem", connection=connection)
    assert result["error"]["message"] == "the server answered 422 Unprocessable Entity"


def test_the_error_of_an_api_is_cleaned_and_then_cut(tmp_path: Path) -> None:
    """Cut first, half a secret would stand at the end, and no search finds halves."""
    said = "x" * 290 + SECRET + "y" * 100
    with Server({"* /x": lambda _: reply({"error": said}, 500)}) as own:
        result = result_of(
            own.url,
            tmp_path,
            "/x",
            connection={
                "type": "bearer",
                "auth": {"token": "env://TOKEN"},
                "error_message": "{{ response.body.error }}",
            },
            environ={"TOKEN": SECRET},
        )
    message = result["error"]["message"]
    assert message.endswith(f": {'x' * 290}{MASK}{'y' * 7}")
    assert SECRET[:6] not in json.dumps(result)


def test_a_secret_with_spaces_is_cleaned_before_the_lines_are_joined(tmp_path: Path) -> None:
    secret = "correct  horse\tbattery"
    with Server({"* /x": lambda _: reply({"error": f"no: {secret}"}, 500)}) as own:
        connection = {
            "type": "basic",
            "auth": {"username": "ann", "password": "env://PASSWORD"},
            "error_message": "{{ response.body.error }}",
        }
        result = result_of(own.url, tmp_path, "/x", connection=connection, environ={"PASSWORD": secret})
    assert result["error"]["message"].endswith(f": no: {MASK}")
