"""GitHub Actions: a workflow of GitHub's for each trigger (`on.schedule`, with its time zone).

https://docs.github.com/actions/reference/workflows-and-actions/workflow-syntax#onschedule
"""

from collections.abc import Sequence

from runner.schedulers import Entry, Place, one_line, scalar

SUMMARY = "a workflow of GitHub Actions for each trigger"


def export(entries: Sequence[Entry], place: Place) -> dict[str, str]:
    """Give a file for each trigger. The login to Vault is that of runner.yaml: `method: jwt, source: github_actions`."""
    return {f".github/workflows/runner-{entry.name}.yaml": _file(entry, place) for entry in entries}


def _file(entry: Entry, place: Place) -> str:
    notes = []
    if entry.catch_up:
        notes.append("# GitHub starts nothing later that it missed: catch_up does not hold")
    if entry.overlap == "skip":
        notes.append("# GitHub has no skipping: of those that wait for the one that runs, the newest stays")
    group = "" if entry.overlap == "allow" else f"concurrency: {{group: {scalar('runner-' + entry.name)}}}\n"
    return "\n".join(
        [
            f"# {one_line(entry.description or entry.workflow)}",
            *notes,
            f"name: {_plain(entry.workflow)}",
            "on:",
            "  schedule:",
            f"    - cron: {scalar(entry.cron.written())}",
            f"      timezone: {scalar(entry.timezone)}",
            "  workflow_dispatch:",
            f"permissions: {{contents: read, id-token: write}}\n{group}jobs:",
            "  run:",
            "    runs-on: ubuntu-latest",
            "    timeout-minutes: 75",
            "    steps:",
            "      - uses: actions/checkout@v4",
            "        with: {persist-credentials: false}",
            "      - uses: actions/setup-python@v5",
            '        with: {python-version: "3.12"}',
            f"      - run: {_plain('pip install ' + place.package)}",
            f"      - run: {_plain(entry.command('runner'))}",
            "",
        ]
    )


def _plain(text: str) -> str:
    """Write text in which GitHub finds no expression of its own."""
    return scalar(text.replace("${{", "${{ '${{' }}"))
