"""Reading from a real server: engines, versions, fields, and what each kind of failure says."""

import asyncio

import pytest

from runner.errors import Exit, SecretsError
from tests.integration.vault_workspace import Workspace, ref
from tests.servers.openbao import OpenBao


@pytest.fixture
def reader(vault: Workspace) -> Workspace:
    """A workspace whose VAULT_TOKEN may read `secret/`, kept in the token file of the command line."""
    (vault.directory / ".vault-token").write_text(vault.token("reader") + "\n")
    return vault


def test_reads_the_newest_version(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "first value"})
    reader.put("secret/app", {"token": "second value"})

    assert reader.read("secret/app#token") == ["second value"]


def test_reads_a_pinned_version(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "first value"})
    reader.put("secret/app", {"token": "second value"})

    assert reader.read("secret/app?version=1#token", "secret/app#token") == ["first value", "second value"]


def test_reads_kv_version_1_below_a_mount_of_two_segments(vault: Workspace) -> None:
    vault.mount("team/old", "kv1")
    vault.ask("POST", "team/old/app/db", {"password": "of version one"})
    vault.mount("team/new", "kv2")
    vault.ask("POST", "team/new/data/app", {"data": {"password": "of version two"}})
    vault.policy("team", "team/old/*", "team/new/data/*")

    values = vault.read("team/old/app/db#password", "team/new/app#password", VAULT_TOKEN=vault.token("team"))

    assert values == ["of version one", "of version two"]


@pytest.mark.parametrize("name", ["a.b", "mit-Umlaut-ä", "with%percent", "[0]"])
def test_a_field_is_literal(reader: Workspace, name: str) -> None:
    reader.put("secret/app", {name: "the value"})

    assert reader.read(f"secret/app#{name}") == ["the value"]


def test_paths_with_awkward_characters_are_read_as_written(reader: Workspace) -> None:
    reader.ask("POST", "secret/data/a%20b/c%25d%3Fe", {"data": {"token": "found"}})

    assert reader.read("secret/a%20b/c%25d%3Fe#token") == ["found"]


def test_integers_are_texts_and_values_keep_their_spaces(reader: Workspace) -> None:
    reader.put("secret/app", {"port": 5432, "padded": " a\nb "})

    assert reader.read("secret/app#port", "secret/app#padded") == ["5432", " a\nb "]


def test_secrets_do_not_print_and_name_their_reference(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "unprintable value"})
    source = reader.source()

    async def run() -> str:
        found = await source.read([ref("secret/app#token")])
        await source.close()
        return repr(found)

    assert "unprintable" not in asyncio.run(run())
    assert reader.registered["unprintable value"] == "secret/app#token"


def test_all_failures_come_at_once_each_with_its_cause(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "good"})

    with pytest.raises(SecretsError) as caught:
        reader.read(
            "secret/app#token",
            "secret/app#tokn",
            "secret/none#a",
            "other/app#a",
            "secret/app?version=9#token",
        )

    assert caught.value.exit_code is Exit.UNAVAILABLE
    by_reference = {problem.reference: problem.message for problem in caught.value.problems}
    assert by_reference == {
        "secret/app#tokn": "'secret/app' has no field 'tokn'; it has: token",
        "secret/none#a": "nothing is stored at 'secret/none'",
        "other/app#a": (
            f"Vault has no secrets engine at 'other/' in the namespace '{reader.namespace}', "
            "or the token has no right on anything below it"
        ),
        "secret/app?version=9#token": "'secret/app' has no version 9; the newest is 1",
    }


def test_a_missing_field_lists_those_that_exist_and_guesses(reader: Workspace) -> None:
    reader.put("secret/app", {"api_token": "hidden value", "user": "x"})

    problem = reader.problem("secret/app#api_tokn")

    assert problem.message == "'secret/app' has no field 'api_tokn'; it has: api_token, user"
    assert problem.help == "did you mean 'api_token'?"
    assert "hidden" not in repr(problem)


def test_a_missing_path_says_how_to_look(reader: Workspace) -> None:
    problem = reader.problem("secret/team/none#a")

    assert problem.message == "nothing is stored at 'secret/team/none'"
    assert problem.help == "check the path: vault kv list secret/team"


def test_a_mount_that_does_not_exist_is_told_for_a_mighty_token_too(vault: Workspace) -> None:
    problem = vault.problem("nowhere/app#a", VAULT_TOKEN=vault.server.root_token)

    assert problem.message.startswith("Vault has no secrets engine at 'nowhere/'")
    assert problem.help is not None
    assert 'path "nowhere/data/app" { capabilities = ["read"] }' in problem.help


@pytest.mark.parametrize(("mount", "rule"), [("secret", "secret/data/closed/app"), ("old", "old/closed/app")])
def test_a_denial_prints_the_missing_policy_line(vault: Workspace, mount: str, rule: str) -> None:
    vault.mount("old", "kv1")
    vault.policy("elsewhere", "secret/data/open/*", "old/open/*")

    problem = vault.problem(f"{mount}/closed/app#a", VAULT_TOKEN=vault.token("elsewhere"))

    assert problem.message == f"the policies of the token do not allow to read '{rule}'"
    assert problem.help == f'add to one of them: path "{rule}" {{ capabilities = ["read"] }}'


def test_the_printed_policy_line_is_enough(vault: Workspace) -> None:
    vault.put("secret/closed/app", {"a": "readable now"})
    vault.policy("elsewhere", "secret/data/open/*")
    token = vault.token("elsewhere")
    line = str(vault.problem("secret/closed/app#a", VAULT_TOKEN=token).help).partition(": ")[2]

    vault.ask("PUT", "sys/policies/acl/elsewhere", {"policy": line})

    assert vault.read("secret/closed/app#a", VAULT_TOKEN=token) == ["readable now"]


def test_a_deleted_version_says_when_and_how_to_bring_it_back(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "x"})
    reader.ask("DELETE", "secret/data/app")

    problem = reader.problem("secret/app#token")

    assert problem.message.startswith("version 1 of 'secret/app' was deleted at 20")
    assert problem.help == "bring it back: vault kv undelete -versions=1 secret/app"


def test_a_destroyed_version_is_told_from_a_deleted_one(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "x"})
    reader.put("secret/app", {"token": "y"})
    reader.ask("PUT", "secret/destroy/app", {"versions": [1]})

    problem = reader.problem("secret/app?version=1#token")

    assert problem.message == "version 1 of 'secret/app' was destroyed and cannot be had back"


def test_a_version_that_was_never_written_names_the_newest_even_if_that_is_deleted(reader: Workspace) -> None:
    reader.put("secret/app", {"token": "x"})
    reader.ask("DELETE", "secret/data/app")

    assert (
        reader.problem("secret/app?version=4#token").message
        == "'secret/app' has no version 4; the newest is 1"
    )
    assert reader.problem("secret/none?version=4#token").message == "nothing is stored at 'secret/none'"


def test_a_version_of_what_has_none_is_refused(vault: Workspace) -> None:
    vault.mount("old", "kv1")
    vault.ask("POST", "old/app", {"a": "x"})

    problem = vault.problem("old/app?version=1#a", VAULT_TOKEN=vault.server.root_token)

    assert problem.message == "'?version=1' is given, but the engine at 'old/' has no versions (KV version 1)"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "true or false"),
        (None, "null"),
        (["a"], "a list"),
        ({"a": "b"}, "an object"),
        (0.5, "a number that JSON does not keep exactly"),
        (2**60, "a number that JSON does not keep exactly"),
    ],
)
def test_a_value_that_is_no_string_is_refused_with_its_type(
    reader: Workspace, value: object, kind: str
) -> None:
    reader.put("secret/app", {"field": value})

    problem = reader.problem("secret/app#field")

    assert problem.message == f"the field 'field' of 'secret/app' is {kind}, not a string"


def test_an_empty_value_is_refused(reader: Workspace) -> None:
    reader.put("secret/app", {"field": ""})

    assert reader.problem("secret/app#field").message == "the field 'field' of 'secret/app' is empty"


def test_data_in_the_path_gets_the_remedy_where_only_vault_can_tell(vault: Workspace) -> None:
    vault.mount("team/kv")
    vault.ask("POST", "team/kv/data/app", {"data": {"a": "x"}})

    problem = vault.problem("team/kv/data/app#a", VAULT_TOKEN=vault.server.root_token)

    assert problem.help == "write the reference without 'data/': vault://team/kv/app#FIELD"


def test_a_path_that_cannot_be_read_is_told(vault: Workspace) -> None:
    vault.mount("transit", "transit")
    vault.ask("POST", "transit/keys/k", {})

    problem = vault.problem("transit/encrypt/k#a", VAULT_TOKEN=vault.server.root_token)

    assert "cannot be read" in problem.message


def test_a_namespace_from_the_file_and_from_the_environment(vault: Workspace) -> None:
    vault.put("secret/app", {"a": "of this namespace"})
    environ = {"VAULT_ADDR": vault.server.address, "VAULT_TOKEN": vault.server.root_token}

    assert vault.read("secret/app#a", config={"namespace": vault.namespace}, environ=environ) == [
        "of this namespace"
    ]
    both = {**environ, "VAULT_NAMESPACE": f"/{vault.namespace}/"}
    assert vault.read("secret/app#a", config={"namespace": "elsewhere"}, environ=both) == [
        "of this namespace"
    ]


def test_an_unknown_namespace_is_told_once_with_where_it_was_set(vault: Workspace) -> None:
    environ = vault.environ(VAULT_TOKEN=vault.server.root_token, VAULT_NAMESPACE="nowhere")

    problem = vault.problem("secret/app#a", environ=environ)

    assert problem.message == "Vault has no namespace 'nowhere'"
    assert problem.help == "check VAULT_NAMESPACE"


def test_mounts_of_the_file_serve_where_the_question_is_refused(openbao: OpenBao, vault: Workspace) -> None:
    # A token without any right below the mount cannot ask; with `mounts` the denial becomes exact.
    vault.policy("nothing", "elsewhere/*")

    problem = vault.problem(
        "secret/app#a", config={"mounts": {"secret/": "kv2"}}, VAULT_TOKEN=vault.token("nothing")
    )

    assert problem.help == 'add to one of them: path "secret/data/app" { capabilities = ["read"] }'


def test_what_an_engine_does_not_have_is_told_in_its_words(vault: Workspace) -> None:
    vault.mount("old", "kv1")
    vault.mount("rabbitmq", "rabbitmq")
    token = vault.server.root_token

    missing, unknown = vault.problems("old/none#a", "rabbitmq/creds/none#a", VAULT_TOKEN=token)

    assert missing.message == "nothing is stored at 'old/none'"
    assert (
        unknown.message
        == "the engine at 'rabbitmq/' gave no credentials for 'rabbitmq/creds/none': unknown role: none"
    )
    version = vault.problem("rabbitmq/creds/none?version=1#a", VAULT_TOKEN=token)
    assert "makes credentials and has no versions" in version.message


def test_a_secret_without_fields(reader: Workspace) -> None:
    reader.put("secret/app", {})

    assert reader.problem("secret/app#a").message == "'secret/app' holds no fields"
