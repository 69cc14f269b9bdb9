"""What refusals mean, where no server of the tests gives them, and what is kept out of texts."""

import ssl
import threading

import pytest

from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.engines import KV2, Answer, Mount, text_of
from runner.secrets.vault.explain import RefusedError, VaultProblemError, clean, scrub, unreachable
from runner.secrets.vault.settings import VaultSettings


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("permission denied", "dead"),
        ("2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n", "dead"),
        ("1 error occurred:\n\t* permission denied\n\n", "denied"),
        (
            'preflight capability check returned 403, please ensure client\'s policies grant access to path "a/"',
            "mount",
        ),
    ],
)
def test_the_three_kinds_of_403(error: str, meaning: str) -> None:
    refused = RefusedError(403, [error], {})

    kinds = {"dead": refused.token_dead, "denied": refused.denied, "mount": refused.preflight}
    assert [kind for kind, holds in kinds.items() if holds] == [meaning]


def test_a_bad_request_is_none_of_them() -> None:
    refused = RefusedError(400, ["permission denied"], {})

    assert not any((refused.token_dead, refused.denied, refused.preflight))


def test_texts_are_cleaned_and_cut() -> None:
    assert clean("a\x1b[31m\r\nb\u202ec\tc") == "a [31m b c c"
    assert len(clean("x" * 10_000)) == 501


def test_known_values_are_blanked_longest_first_and_short_ones_left() -> None:
    assert scrub("token abcdefgh, abcdef and abc", {"abcdef", "abcdefgh", "abc"}) == "token ***, *** and abc"


def test_many_fields_are_listed_in_part() -> None:
    fields = {f"field{number:02}": "x" for number in range(30)}
    answer = Answer(fields=fields, mount=Mount(path="secret", kind=KV2))

    with pytest.raises(VaultProblemError) as caught:
        text_of(answer, "secret/app", "nothing")

    assert "field00, field01" in caught.value.message
    assert caught.value.message.endswith("field19 and 10 more")


def test_an_answer_does_not_print_its_values() -> None:
    assert "hidden" not in repr(Answer(fields={"a": "hidden"}, mount=Mount(path="secret", kind=KV2)))


@pytest.mark.parametrize(
    "error",
    [
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed (EOF)"),
        ssl.SSLError("unknown"),
        ConnectionResetError(104, "Connection reset by peer"),
    ],
)
def test_a_tls_connection_that_ends_early_hints_at_the_client_certificate(error: OSError) -> None:
    settings = VaultSettings(address="https://vault.test:8200", address_from="VAULT_ADDR")

    problem = unreachable(settings, error)

    assert "https://vault.test:8200" in problem.message
    assert "VAULT_CLIENT_CERT" in problem.help


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".test", "*.test"])
def test_a_host_that_no_name_server_can_know(host: str) -> None:
    settings = VaultSettings(address=f"http://{host}:8200", address_from="VAULT_ADDR", max_retries=0)

    with pytest.raises(VaultProblemError) as caught:
        VaultClient(settings, threading.Event()).lookup_self()

    assert caught.value.message == f"the host '{host}' is not known"
    assert "VAULT_ADDR" in caught.value.help
