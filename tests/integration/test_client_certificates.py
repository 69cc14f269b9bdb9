"""Client certificates, from files and from secrets, presented to a real server that demands them; and wrong ones."""

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from runner.errors import SecretsError
from runner.project import Project
from tests.projects import bench, make, request, run, simple
from tests.servers.certificates import Authority, expired_ca
from tests.servers.http import Server, reply

JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[Server]:
    with Server(
        {"GET /who": lambda asked: reply({"client": asked.client})},
        tls=authority.server_context(require_client=True),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def pair(authority: Authority) -> tuple[str, str]:
    files = authority.client("robot")
    return files.certificate.read_text(), files.key.read_text()


def result_of(
    server: Server,
    authority: Authority,
    root: Path,
    tls: JsonObject,
    files: Mapping[str, str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> JsonObject:
    for name, text in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    connection = {"tls": {"ca": "env://CA", **tls}}
    project = simple(
        root,
        [request("one", path="/who", more={"retry": {"attempts": 1}})],
        url=server.url,
        connection=connection,
    )
    environ = {"CA": authority.ca_file.read_text(), **(environ or {})}
    result: JsonObject = bench(project, environ=environ).perform("one")
    return result


def test_from_secrets_files_and_in_every_form_that_stores_make(
    server: Server,
    authority: Authority,
    pair: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate, key = pair
    both = {"cert": "env://CERT", "key": "env://KEY"}
    made: list[int] = []
    real = os.memfd_create

    def memfd_create(*given: Any) -> int:
        made.append(real(*given))
        return made[-1]

    monkeypatch.setattr(os, "memfd_create", memfd_create)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: pytest.fail("a key on the disk"))
    cases: list[tuple[JsonObject, JsonObject, dict[str, str]]] = [
        (both, {}, {"CERT": certificate, "KEY": key}),
        (both, {}, {"CERT": certificate.replace("\n", "\\n"), "KEY": key.replace("\n", "\\n")}),
        (both, {}, {"CERT": certificate.replace("\n", " "), "KEY": base64.b64encode(key.encode()).decode()}),
        ({"cert": "env://CERT"}, {}, {"CERT": key + certificate}),
        ({"cert": "tls/c.pem", "key": "env://KEY"}, {"tls/c.pem": certificate}, {"KEY": key}),
        ({"cert": "c.pem", "key": "k.pem"}, {"c.pem": certificate, "k.pem": key}, {}),
    ]
    for number, (tls, files, environ) in enumerate(cases):
        (root := tmp_path / str(number)).mkdir()
        result = result_of(server, authority, root, tls, files, environ)
        assert result.get("output") == {"client": "robot"}, (number, result)
    assert len(made) == len(cases)
    for fd in made:
        with pytest.raises(OSError):
            os.fstat(fd)


def test_without_memory_files_it_is_a_file_for_a_moment(
    server: Server,
    authority: Authority,
    pair: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    tls = {"cert": "env://CERT", "key": "env://KEY"}
    result = result_of(server, authority, tmp_path, tls, environ={"CERT": pair[0], "KEY": pair[1]})
    assert result["output"] == {"client": "robot"}
    assert list((tmp_path / "tmp").iterdir()) == []


def test_no_certificate_or_one_of_another_authority(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    error = result_of(server, authority, tmp_path, {})["error"]
    assert error["kind"] in ("tls", "connection")
    assert "client certificate" in error["help"] or "tls.cert" in error["help"]
    other = Authority(tmp_path / "other").client("stranger")
    stranger = {"CERT": other.certificate.read_text(), "KEY": other.key.read_text()}
    tls = {"cert": "env://CERT", "key": "env://KEY"}
    error = result_of(server, authority, tmp_path, tls, environ=stranger)["error"]
    assert error["kind"] in ("tls", "connection")
    assert "tls.cert" in error["help"], error


def wrong(name: str, certificate: str, key: str, other_key: str) -> tuple[str, str]:
    """Give a certificate and a key of which one is wrong."""
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=key.encode(), capture_output=True, check=True
    )
    encrypted = subprocess.run(
        ["openssl", "pkey", "-aes256", "-passout", "pass:geheim"],
        input=key.encode(),
        capture_output=True,
        check=True,
    )
    return {
        "another key": (certificate, other_key),
        "encrypted": (certificate, encrypted.stdout.decode()),
        "public": (certificate, public.stdout.decode()),
        "no key": (certificate, certificate),
        "empty": (certificate, " \n"),
        "cut": (certificate, key[: len(key) // 2]),
        "json": (certificate, '{"private_key": "..."}'),
        "damaged": (certificate, key.replace(key.splitlines()[1], key.splitlines()[1][:-4])),
        "no certificate": (key, key),
    }[name]


@pytest.mark.parametrize(
    ("name", "field", "part"),
    [
        ("another key", "key", "does not belong to the certificate"),
        ("encrypted", "key", "is encrypted with a passphrase"),
        ("public", "key", "is a public key, not a private key"),
        ("no key", "key", "is a certificate, not a private key"),
        ("empty", "key", "is empty"),
        ("cut", "key", "is cut off"),
        ("json", "key", "is JSON, not a private key"),
        ("damaged", "key", "one of them is damaged"),
        ("no certificate", "cert", "is a private key, not a certificate"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(
    name: str,
    field: str,
    part: str,
    server: Server,
    authority: Authority,
    pair: tuple[str, str],
    tmp_path: Path,
) -> None:
    certificate, key = wrong(name, *pair, authority.client("other").key.read_text())
    tls = {"cert": "env://CERT", "key": "env://KEY"}
    result = result_of(server, authority, tmp_path, tls, environ={"CERT": certificate, "KEY": key})
    error = result["error"]
    assert error["kind"] == "tls"
    assert part in error["message"]
    if name not in ("another key", "damaged"):
        assert error["message"].startswith(f"the secret env {field.upper()} for `tls.{field}` ")
        assert error["file"] == "connections.d/api.yaml"
    secret_lines = [line for line in key.splitlines() if len(line) > 20 and "-----" not in line]
    assert not any(line in str(result) for line in secret_lines)
    assert len(result["record"].get("attempts", [])) <= 1


def test_files_that_cannot_be_read(server: Server, authority: Authority, tmp_path: Path) -> None:
    error = result_of(server, authority, tmp_path, {"cert": "gone.pem"})["error"]
    assert error["message"] == "the file 'gone.pem' from `tls.cert` cannot be read: No such file or directory"
    files = {"big.pem": "x" * 300_000}
    error = result_of(server, authority, tmp_path, {"cert": "big.pem"}, files)["error"]
    assert "has more than 256 KiB" in error["message"]


def test_an_authority_that_has_expired(server: Server, pair: tuple[str, str], tmp_path: Path) -> None:
    expired_ca(tmp_path / "old.pem")
    project = simple(
        tmp_path,
        [request("one", path="/who")],
        url=server.url,
        connection={"tls": {"ca": "old.pem"}},
    )
    error = bench(project).perform("one")["error"]
    assert error["message"] == "the CA from `tls.ca` has expired on 2020-01-31"


def chained(root: Path, url: str, authority: Authority, tls: JsonObject) -> Project:
    """Make a project whose second request takes the certificate."""
    (root / "ca.pem").write_text(authority.ca_file.read_text())
    api = {"type": "none", "base_url": url, "shared": True, "tls": {"ca": "ca.pem"}}
    actions = [request("first", "POST", "/who"), {**request("second", path="/who"), "connection": "bank"}]
    files = {
        "connections.d/api.yaml": api,
        "connections.d/bank.yaml": {**api, "tls": {"ca": "ca.pem", **tls}},
        "workflows.d/main.yaml": {"actions": actions},
    }
    return make(root, files)


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({"ca": "gone.pem"}, "the CA * from `tls.ca` cannot be used: No such file or directory"),
        ({"ca": "old.pem"}, "the CA from `tls.ca` has expired on 2020-01-31"),
        (
            {"cert": "gone.pem"},
            "the file 'gone.pem' from `tls.cert` cannot be read: No such file or directory",
        ),
        (
            {"cert": "robot.pem", "key": "other.key"},
            "the key of `tls.key` does not belong to the certificate of `tls.cert`",
        ),
    ],
)
def test_a_run_reads_all_certificates_before_it_sends_anything(
    tls: JsonObject, message: str, authority: Authority, tmp_path: Path
) -> None:
    expired_ca(tmp_path / "old.pem")
    (tmp_path / "robot.pem").write_text(authority.client("robot").certificate.read_text())
    (tmp_path / "other.key").write_text(authority.client("other").key.read_text())
    with Server({"* /who": lambda _: reply({})}, tls=authority.server_context()) as server:
        project = chained(tmp_path, server.url, authority, tls)
        with pytest.raises(SecretsError) as caught:
            run(project)
        assert server.requests == ()
    (problem,) = caught.value.problems
    assert fnmatch(problem.message, message)
    assert problem.reference == "connection 'bank'"
    assert problem.spans[0].path == "connections.d/bank.yaml"


@pytest.mark.parametrize(
    ("days", "when"), [(-1, "has expired on {}"), (3, "ends soon, on {}"), (30, None)], ids=str
)
def test_a_certificate_that_ends_is_a_warning(
    days: int, when: str | None, authority: Authority, tmp_path: Path
) -> None:
    end = datetime.now(UTC) + timedelta(days=days)
    (tmp_path / "robot.pem").write_text(authority.client("robot", until=end).combined.read_text())
    with Server({"* /who": lambda _: reply({})}, tls=authority.server_context()) as server:
        ran = run(chained(tmp_path, server.url, authority, {"cert": "robot.pem"}))
    expected = f"the certificate of `tls.cert` of the connection 'bank' {(when or '').format(end.date())}"
    assert ran.result.warnings == ((expected,) if when else ())
