"""Mermaid: nodes for actions, edges for what waits for what, and nothing in a name that Mermaid could read as its own."""

from pathlib import Path
from typing import Any

from runner import calls
from runner.cli.workflows_show import _described
from runner.reports import mermaid
from tests.projects import make

JsonObject = dict[str, Any]


def test_a_graph_with_lists_calls_and_needs(tmp_path: Path) -> None:
    request = {"url": "https://example.com"}
    project = make(
        tmp_path,
        {
            "connections.d/eu/a]b.yaml": {"type": "none", "base_url": "https://example.com"},
            "workflows.d/main.yaml": {
                "actions": [
                    {"id": "a", "request": request},
                    {"id": "b", "needs": [], "connection": "eu/a]b", "request": {"path": "/"}},
                    {"id": "c", "needs": ["a", "b"], "for_each": [1], "workflow": "sub"},
                ],
                "on_failure": [{"id": "d", "fail": "no"}],
                "finally": [{"id": "e", "wait": "1s"}],
            },
            "workflows.d/sub.yaml": {"actions": [{"id": "z", "if": True, "set": {"x": 1}}]},
        },
    )
    main = project.workflows["main"]
    assert len(calls.reached(project, main)) == 2
    text = mermaid.workflow(_described(project, main))
    assert text.splitlines() == [
        "flowchart TD",
        '  subgraph w0["main"]',
        '    subgraph w0_actions["actions"]',
        '      w0_a_a["a<br>request"]',
        '      w0_a_b["b<br>request, through eu/a#93;b"]',
        '      w0_a_c["c<br>workflow sub, for_each"]',
        "      w0_a_a --> w0_a_c",
        "      w0_a_b --> w0_a_c",
        "    end",
        '    subgraph w0_on_failure["on_failure"]',
        '      w0_a_d["d<br>fail"]',
        "    end",
        '    subgraph w0_finally["finally"]',
        '      w0_a_e["e<br>wait"]',
        "    end",
        "    w0_actions -- failed --> w0_on_failure",
        "    w0_actions --> w0_finally",
        "    w0_on_failure --> w0_finally",
        "  end",
        '  subgraph w1["sub"]',
        '    w1_a_z["z<br>set, if"]',
        "  end",
        "  w0_a_c -. calls .-> w1",
    ]
