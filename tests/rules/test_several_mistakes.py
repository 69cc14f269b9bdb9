"""Several mistakes in one file: one does not hide another, and none makes up a third."""

from pathlib import Path

from tests.rules.projects import TICKETS, findings


def told(root: Path, files: dict[str, str]) -> list[tuple[int, str, str]]:
    return [(found.primary.span.start.line, found.rule, found.message) for found in findings(root, files)]


CONNECTION = """\
type: bearer
base_url: https://{{ vars.site }}.example.com
shared: tru
auth: {token: "vault://secret/data/x#y"}
headers: {X-A: "{{ vasr.a }}", X-B: "{{ inputs.x }}", X-C: 4.5.6}
query: {a: "{{ run.id | nosuch }}"}
test: {path: "/me/{{ "}
timeot: 3s
"""


def test_in_a_connection(tmp_path: Path) -> None:
    assert told(tmp_path, {"connections.d/a.yaml": CONNECTION}) == [
        (2, "undefined-reference", "no variable 'site'"),
        (3, "wrong-type", "'shared' must be true or false, not text"),
        (4, "malformed-secret-ref", "a reference is written without 'data/'"),
        (5, "undefined-reference", "there is no 'vasr' in templates"),
        (5, "unavailable-root", "'inputs' is not available in `headers.X-B`"),
        (6, "unknown-filter", "no filter 'nosuch'"),
        (7, "template-syntax", "unexpected 'end of template'"),
        (8, "unknown-key", "unknown key 'timeot'"),
    ]


def test_what_hides_the_type_hides_nothing_else(tmp_path: Path) -> None:
    files = {
        "connections.d/a.yaml": "type: bearr\nbase_url: 'https://{{ vars.a }}'\nauth: {token: 'env://T'}\n",
        "connections.d/b.yaml": "type: jira\nheaders: {X-B: '{{ vars.b }}'}\n",
        "connections.d/c.yaml": "type: none\nheaders: {X-C: '{{ vars.c }}'}\n",
        "connections.d/d.yaml": "extends: a\nheaders: {X-D: '{{ vars.d }}'}\n",
        "connections.d/e.yaml": "type: none\nbase_url: 7\nquery: 5\nheaders: [1]\ntest: {path: 1}\n",
    }
    found = findings(tmp_path, files)
    names = [
        (item.primary.span.path[-6], item.message) for item in found if item.rule == "undefined-reference"
    ]
    assert names == [(name, f"no variable '{name}'") for name in "abcd"]
    assert not any("variables" in item.message for item in found if item.rule == "undefined-reference")


def test_in_the_order_of_actions(tmp_path: Path) -> None:
    workflow = """\
    actions:
      - id: first
        needs: [nosuch, second]
        connection: tickets
        request: {pth: /x}
      - id: second
        needs: [first]
        connection: tickets
        request: {path: "/y/{{ actions.third.output }}"}
      - id: third
        workflow: nowhere
        nme: x
    """
    files = {"connections.d/tickets.yaml": TICKETS + "test: {path: /}\n", "workflows.d/w.yaml": workflow}
    assert told(tmp_path, files) == [
        (3, "undefined-reference", "no action 'nosuch' to wait for"),
        (3, "needs-cycle", "these actions wait for each other: first -> second -> first"),
        (5, "unknown-key", "unknown key 'pth'"),
        (9, "undefined-reference", "action 'third' may still be running: this one does not wait for it"),
        (11, "undefined-workflow", "no workflow 'nowhere'"),
        (12, "unknown-key", "unknown key 'nme'"),
    ]


def test_what_an_action_with_errors_waits_for_has_ended(tmp_path: Path) -> None:
    workflow = """\
    actions:
      - id: a
        set: {x: 1}
      - id: b
        sett: {x: 1}
      - id: c
        needs: [b]
        set: {x: "{{ actions.a.output.x }}"}
      - id: d
        needs: 7
        set: {x: "{{ actions.a.output.x }}"}
      - id: e
        set: {x: "{{ actions.a.output.x }}"}
    """
    found = [(line, rule) for line, rule, _ in told(tmp_path, {"workflows.d/w.yaml": workflow})]
    assert found == [(4, "action-kind"), (5, "unknown-key"), (10, "wrong-type")]


def test_an_id_that_is_used_twice_says_nothing_of_the_order(tmp_path: Path) -> None:
    workflow = """\
    actions:
      - id: a
        needs: [b]
        set: {x: 1}
      - id: b
        needs: [a]
        set: {x: 1}
      - id: a
        set: {x: "{{ actions.b.output.x }}"}
    """
    found = [(line, rule) for line, rule, _ in told(tmp_path, {"workflows.d/w.yaml": workflow})]
    assert found == [(8, "duplicate-name")]
