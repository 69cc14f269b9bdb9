"""A plan as a comment on a pull request, read back with a real Markdown parser."""

from typing import Any

import pytest
from markdown_it import MarkdownIt

from runner import reports
from runner.reports.markdown.escape import LONGEST
from tests.reports.findings import NASTY

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def made(*requests: tuple[str, str], text: str = "x", secrets: bool = True) -> dict[str, Any]:
    actions = [
        {
            "id": f"a{number}",
            "section": "actions",
            "kind": "request",
            "request": {
                "method": method,
                "url": url,
                "headers": {"X-Text": text},
                "body": text,
                "body_kind": "body",
            },
        }
        for number, (method, url) in enumerate(requests)
    ]
    secret = {"reference": f"secret/app#{text}", "connection": text, "field": "auth.token", "host": text}
    return {
        "workflow": text or "main",
        "environment": text,
        "user": None,
        "inputs": {},
        "secrets": [secret] if secrets else [],
        "actions": actions,
        "outputs": {},
    }


def rendered(plan: dict[str, Any]) -> str:
    return reports.render("markdown", "plan", plan)


def test_it_counts_what_is_sent_and_says_what_is_read() -> None:
    text = rendered(made(("GET", "https://a.example.com/x"), ("POST", "https://a.example.com/y")))
    lines = text.splitlines()
    assert lines[0] == "<!-- runner.d: plan -->"
    assert lines[1].endswith(": 2 requests, 1 of them writing")
    assert "| <code>secret/app#x</code> | <code>x</code> | x |" in lines
    assert rendered(made(("GET", "https://a.example.com/x"))).splitlines()[1].endswith(": 1 request")
    assert rendered(made()).splitlines()[1].endswith(": no requests")


def test_called_workflows_count() -> None:
    plan = made(("GET", "https://a.example.com/x"))
    inner = made(("DELETE", "https://a.example.com/y"), ("PUT", "https://a.example.com/z"))["actions"]
    plan["actions"].append({"id": "call", "kind": "workflow", "workflow": {"name": "x", "actions": inner}})
    assert rendered(plan).splitlines()[1].endswith(": 3 requests, 2 of them writing")


@pytest.mark.parametrize("text", NASTY)
def test_no_text_leaves_its_block_or_cell(text: str) -> None:
    plan = made(("POST", "https://a.example.com/" + text), text=text)
    tokens = PARSER.parse(rendered(plan))
    kinds = [token.type for token in tokens if token.level == 0 and token.type != "inline"]
    assert kinds[0] == "html_block"
    assert tokens[0].content.strip() == "<!-- runner.d: plan -->"
    assert kinds.count("table_open") == 1
    assert kinds[-1] == "fence"
    assert kinds.count("fence") == 1
    assert kinds.count("html_block") == 1
    for token in tokens:
        for part in token.children or ():
            assert part.type in ("text", "text_special", "html_inline"), part
            assert part.type != "html_inline" or part.content in ("<code>", "</code>")


def test_a_long_plan_is_cut_and_its_block_closed() -> None:
    plan = made(*[("POST", f"https://a.example.com/{number}") for number in range(5000)])
    text = rendered(plan)
    assert LONGEST * 0.9 < len(text.encode()) <= LONGEST
    assert PARSER.parse(text)[-3].type == "paragraph_open"
    shown = next(token for token in PARSER.parse(text) if token.type == "fence").content.count("\n")
    whole = reports.render("text", "plan", plan).count("\n")
    assert text.endswith(f"\n{whole - shown} more lines are not shown here; `runner plan` shows them all.\n")
