"""What makes no difference, what makes one, and how it is written."""

import pytest

from runner.compare.meaning import action, connection, workflow
from runner.compare.tree import MISSING, canonical, differences
from tests.compare.projects import ESCALATE, PROJECT, TICKETS, compared, edited, written

SAME = [
    (ESCALATE, "path: /search", "method: GET, path: '/search'"),
    (ESCALATE, "status: 200", "status: [200]"),
    (
        ESCALATE,
        "connection: tickets\n        request: {path: /search",
        'connection: "tickets"\n        request: {"path": /search',
    ),
    (ESCALATE, "{type: integer, default: 14}", "{default: 14, type: integer, secret: false}"),
    (ESCALATE, "    inputs:", "    # a comment\n    x-more: {a: 1}\n    inputs:"),
    (
        ESCALATE,
        "- id: search\n",
        "- id: search\n        on_error: fail\n        sensitive: false\n        if: true\n",
    ),
    (ESCALATE, "title: idle", "title: &title idle"),
    (ESCALATE, "    actions:", "    secrets: {}\n    vars: {}\n    actions:"),
    (TICKETS, '["GET *", "POST /tickets"]', '["POST /tickets", "GET *"]'),
    (TICKETS, "shared: true", "shared: true\n    allow_http: false\n    tls: {verify: true}"),
    (TICKETS, 'api_token"}', 'api_token", prefix: "Bearer "}'),
]


@pytest.mark.parametrize(("path", "old", "new"), SAME)
def test_the_same_meaning(path: str, old: str, new: str) -> None:
    result = compared(PROJECT, edited(path, old, new))
    assert result["changes"] == result["danger"] == result["indirect"] == []
    assert result["base"]["errors"] == result["head"]["errors"] == 0


DIFFERENT = [
    (ESCALATE, "title: idle", "title: 'idle '", "create ~ request.json.title: 'idle' 'idle '"),
    (
        ESCALATE,
        '{days: "{{ inputs.days }}"}',
        "{days: 14}",
        "search ~ request.query.days: '{{ inputs.days }}' 14",
    ),
    (ESCALATE, "default: 14", "default: 14.0", "~ inputs.days.default: 14 14.0"),
    (ESCALATE, "path: /search", "method: HEAD, path: /search", "search ~ request.method: 'GET' 'HEAD'"),
    (ESCALATE, "{title: idle}", "{title: [idle, 1]}", "create ~ request.json.title: 'idle' ['idle', 1]"),
    (ESCALATE, "/tickets, json: {title: idle}}", "/tickets}", "create - request.json: {'title': 'idle'} ''"),
    (ESCALATE, "    outputs: {count", '    outputs: {"a.b": 1, count', "+ outputs.\"a.b\": '' 1"),
    (TICKETS, "shared: true", "shared: true\n    timeout: 90s", "+ timeout: '' '1m30s'"),
    (TICKETS, '"POST /tickets"', '"PUT /tickets"', "- allow: 'POST /tickets' ''"),
]


@pytest.mark.parametrize(("path", "old", "new", "line"), DIFFERENT)
def test_another_meaning(path: str, old: str, new: str, line: str) -> None:
    lines = written(compared(PROJECT, edited(path, old, new)))
    assert f"{path} {line}" in lines
    assert len(lines) == (2 if "allow" in line else 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [("60s", "1m"), ("90m", "1h30m"), ("1d", "24h"), ("0.5s", "500ms"), ("1m0s", "60s")],
)
def test_durations_have_one_spelling(one: str, other: str) -> None:
    assert workflow({"timeout": one}) == workflow({"timeout": other})
    assert workflow({"timeout": one})["timeout"] != "61s"


def test_sizes_have_one_spelling() -> None:
    assert workflow({"limits": {"body": "2048KiB"}}) == workflow({"limits": {"body": "2MiB"}})
    assert workflow({"limits": {"body": "1025KiB"}}) != workflow({"limits": {"body": "1MiB"}})


def test_retry_is_compared_by_what_it_says() -> None:
    plain = action({"request": {}, "retry": {"on": [503, 429]}}, "actions", {})
    full = {"on": [429, 503], "attempts": 3, "backoff": {"first": "1000ms", "factor": 2.0, "limit": "30s"}}
    assert action({"request": {}, "retry": full}, "actions", {}) == plain
    # It replaces that of the connection, so it is not nothing.
    assert action({"request": {}, "retry": {}}, "actions", {}) != action({"request": {}}, "actions", {})


def test_names_of_headers_say_the_same_in_any_case() -> None:
    assert connection({"headers": {"X-A": "1"}}) == connection({"headers": {"x-a": "1"}})
    assert connection({"headers": {"X-A": "1"}}) != connection({"headers": {"X-A": "2"}})


@pytest.mark.parametrize(
    "value",
    [None, "text", 1, [], {"actions": "x", "inputs": [1], "defaults": 3}, {"actions": [1, {"id": 2}]}],
)
def test_values_of_any_shape_are_taken(value: object) -> None:
    assert canonical(workflow(value))
    assert canonical(connection(value))


def test_types_are_told_apart() -> None:
    texts = [canonical(value) for value in (True, 1, 1.0, "1", None, "null")]
    assert len(set(texts)) == len(texts)


def test_defaults_moved_into_the_actions_change_nothing() -> None:
    moved = edited(ESCALATE, "connection: tickets\n        request: {path", "request: {path")
    moved = edited(ESCALATE, "    actions:", "    defaults: {connection: tickets}\n    actions:", moved)
    assert compared(PROJECT, moved)["changes"] == []


def test_a_changed_default_is_said_once() -> None:
    before = edited(ESCALATE, "    actions:", "    defaults: {timeout: 10s}\n    actions:")
    after = edited(ESCALATE, "    actions:", "    defaults: {timeout: 20s}\n    actions:")
    result = compared(before, after)
    assert written(result) == [f"{ESCALATE} ~ defaults.timeout: '10s' '20s'"]
    # An action with a value of its own is not concerned.
    own = "- id: create\n        timeout: 5s"
    both = [edited(ESCALATE, "- id: create", own, files) for files in (before, after)]
    assert {item["action"] for item in compared(*both)["danger"]} == {"search"}
    assert {item["action"] for item in result["danger"]} == {"search", "create"}


def test_the_order_of_actions_has_a_meaning() -> None:
    head, second, third = PROJECT[ESCALATE].partition("      - id: create")
    actions, outputs, end = third.partition("    outputs")
    inputs, mark, first = head.partition("    actions:\n")
    turned = f"{inputs}{mark}{second}{actions}{first}{outputs}{end}"
    lines = written(compared(PROJECT, {**PROJECT, ESCALATE: turned}))
    assert lines == [f"{ESCALATE} ~ actions (order): ['search', 'create'] ['create', 'search']"]


def test_lists_give_an_entry_for_each_item() -> None:
    found = [
        (each.sign, each.path, each.before, each.after)
        for each in differences({"a": [1, 2, 3]}, {"a": [1, 3, 4]})
    ]
    assert found == [("-", ("a",), 2, MISSING), ("+", ("a",), MISSING, 4)]
    nested = list(differences([{"a": 1}, {"b": 2}], [{"a": 1}, {"b": 3}]))
    assert [(each.path, each.before, each.after) for each in nested] == [(("1", "b"), 2, 3)]


def test_extends_is_followed() -> None:
    child = "extends: tickets\n    base_url: https://eu.example.com"
    whole = PROJECT[TICKETS].replace("https://tickets.example.com/api", "https://eu.example.com")
    before = {**PROJECT, "connections.d/eu.yaml": whole}
    after = {**PROJECT, "connections.d/eu.yaml": f"    {child}\n"}
    assert compared(before, after)["changes"] == []
    changed = edited(TICKETS, "shared: true", "shared: true\n    timeout: 5m", after)
    lines = written(compared(after, changed))
    assert lines == [
        "connections.d/eu.yaml + timeout: '' '5m'",
        "connections.d/tickets.yaml + timeout: '' '5m'",
    ]
    (entry,) = compared(after, changed)["changes"][0]["entries"]
    assert entry["through"] == TICKETS
