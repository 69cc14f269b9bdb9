"""A run as HTML and as Markdown: whole, and harmless whatever a server said."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from runner import reports
from runner.errors import Failure, FailureKind
from runner.result import Status
from tests.reports.test_formats import FAILURE, action, result

HOSTILE = (
    "</pre><script>alert(1)</script><img src=https://evil.example onerror=x> | `x` @all \x1b[31m\u202e [a](b)"
)


class Page(HTMLParser):
    """The tags and attributes of a page, its text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile_run() -> object:
    failed = Failure(kind=FailureKind.EXPECTATION, message=HOSTILE, help=HOSTILE, span=FAILURE.span)
    record = {
        "request": {"method": "POST", "url": f"https://example.com/{HOSTILE}", "headers": {HOSTILE: HOSTILE}},
        "response": {"status": 500, "headers": {}, "body": HOSTILE},
        "attempts": [{"number": 1, "duration": 0.1, "status": 500}],
        "duration": 0.25,
        HOSTILE: HOSTILE,
    }
    items = {"count": 2, "succeeded": 1, "failed": 1, "skipped": 0,
             "listed": [{"index": 1, "status": "failed", "error": failed.to_json(), "item": HOSTILE}]}  # fmt: skip
    inner = action("deep", output=HOSTILE).to_json()
    return result(
        action("a", Status.FAILED, error=failed, name=HOSTILE, record=record),
        action("b", Status.FAILED, error=failed, handled=True, record={"items": items}),
        action("c", Status.SKIPPED, reason=HOSTILE),
        action("d", output={"x": HOSTILE}, record={"from_history": True}),
        action("e", kind="workflow", record={"workflow": "w", "actions": [inner]}),
        action("f", sensitive=True, output="never"),
        status=Status.FAILED,
        error=failed,
    )


def test_a_page_is_whole_and_does_nothing() -> None:
    text = reports.render("html", "run", hostile_run())
    page = Page(text)
    assert page.open == []
    assert set(page.tags) <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "pre", "code", "table", "tr", "th", "td",
        "details", "summary", "span", "strong", "ul", "li",
    }  # fmt: skip
    assert not [name for name in page.names if name.startswith("on") or name in ("src", "href")]
    assert "default-src 'none'" in text
    assert not {char for char in text if not char.isprintable()} - {"\n"}
    for expected in ("escalate", "20260102T030405-abcd", "ann", "deep", "kept", "<script>alert(1)"):
        assert expected in page.text
    assert text.count("<details open>") == 1, "what failed is open"
    assert "never" not in text


def test_markdown_shows_what_is_there_and_nothing_more() -> None:
    text = reports.render("markdown", "run", hostile_run())
    assert text.startswith("<!-- runner.d: run -->\n### runner run <code>escalate</code>: failed\n")
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "<a " not in shown
    assert shown.count("<tr>") == 7
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {5}
    assert "| kept |" in text
    assert "| failed, goes on |" in text


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_a_run_without_actions(form: str) -> None:
    text = reports.render(form, "run", result(status=Status.FAILED, error=FAILURE))
    assert "no answer within 30s" in text


def test_a_long_run_fits_a_comment() -> None:
    many = [action(f"a{number}", record={"duration": 1.0}) for number in range(5000)]
    text = reports.render("markdown", "run", result(*many))
    assert len(text.encode()) <= 65_536
    assert "more actions are not shown here" in text


def test_a_skipped_run_is_a_skipped_case() -> None:
    from dataclasses import replace

    skipped = replace(result(status=Status.SKIPPED), warnings=("skipped: run x holds the lock 'k'",))
    text = reports.render("junit", "run", skipped)
    assert 'tests="1" failures="0" errors="0"' in text
    assert "<skipped message=\"skipped: run x holds the lock 'k'\"/>" in text
