"""Mistakes by the hundred, put into valid projects: they are found, at the right line, and nothing else is found."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks import generate
from runner import schema
from runner.check import check
from runner.diagnostics import Diagnostic
from runner.project import Project, load
from tests.mutations import KINDS, Mutation, crlf, mutations, shifted

SEED = 2026
EACH = 24
"""Mistakes of a kind in all projects together, where their texts have that many places for it."""

STYLES = {
    "runner.yaml": """\
vars:
  site: eu
  url: https://tickets.example.com
""",
    "connections.d/api.yaml": """\
type: api_key
description: 'Tickets: read and written'
base_url: '{{ vars.url }}'
shared: true
auth:
  key: vault://secret/support/tickets#api_key
  in: header
  name: Authorization
headers:
  X-Site: '{{ vars.site }}'
timeout: 10s
test: {path: /me}
""",
    "connections.d/plain.yaml": """\
type: bearer
base_url: https://pager.example.com
shared: true
auth: {token: vault://secret/support/pager#token, prefix: Bearer}
test: {path: /health}
timeout: 5m
""",
    "workflows.d/nightly/styles.yaml": """\
description: >-
  Every style of
  YAML in one file
inputs:
  days: {type: integer, default: 3, minimum: 1}
  title:
    type: string
    default: idle
secrets:
  hook_key: vault://secret/support/hook#key
defaults:
  connection: api
  timeout: 20s
actions:
  - id: search
    name: Look for them
    request:
      path: /search
      query: {q: "updated<{{ inputs.days }}", limit: 5}
    output: "{{ response.body.results }}"
  - id: text
    set:
      folded: >
        {{ inputs.title }}
        and {{ actions.search.output | length }} more
      literal: |
        {{ inputs.days }} days:
          {{ actions.search.output | first | default('none') }}
  - id: send
    connection: plain
    request:
      method: POST
      path: '/teams/{{ vars.site }}/notes'
      headers: {'X-Run': '{{ run.id }}'}
      json: {"title": '{{ actions.text.output.folded }}', text: "{{ actions.text.output.literal }}"}
    expect: {status: [201, 409]}
    retry: {attempts: 2, backoff: {first: 2s, limit: 10s}}
    on_error: continue
  - id: hook
    if: "{{ inputs.days > 2 }}"
    request:
      url: https://hooks.example.com/run
      method: POST
      form: {site: '{{ vars.site }}'}
      headers: {X-Key: "{{ secrets.hook_key }}"}
      redirects: never
  - id: pause
    wait: 30s
outputs:
  state: "{{ actions.send.status }}"
  hook: "{{ actions.hook.status }}"
finally:
  - id: audit
    name: Say that it ran
    request:
      method: POST
      path: /audit
      json: {run: "{{ run.id }}", sent: "{{ actions.send.status }}"}
""",
}


def written(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return root


def read(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*.yaml"))}


def projects(directory: Path) -> dict[str, dict[str, str]]:
    """The texts of three projects: as the benchmark makes them, the demo's, and one of every style."""
    generate.write(directory / "generated", workflows=5, connections=5)
    demo = Path(__file__).parent.parent
    files = [
        demo / "runner.yaml",
        *sorted(demo.glob("connections.d/*.yaml")),
        *sorted(demo.glob("workflows.d/*.yaml")),
    ]
    shown = {path.relative_to(demo).as_posix(): path.read_text() for path in files}
    return {"generated": read(directory / "generated"), "demo": shown, "styles": STYLES}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    return projects(tmp_path_factory.mktemp("sources"))


def findings(root: Path, files: Mapping[str, str]) -> list[Diagnostic]:
    """Check a project that is not on the disk."""
    project: Project = load(root, files={path: text.encode() for path, text in files.items()})
    return check(project)


def found_at(mutation: Mutation, found: list[Diagnostic]) -> bool:
    """Tell whether a rule of the kind points at the line. A quote that is not closed may be shown where it begins."""
    places = {
        (label.span.path, label.span.start.line)
        for item in found
        if item.rule in mutation.rules
        for label in (item.primary, *(item.related if item.rule == "yaml-syntax" else ()))
    }
    return (mutation.path, mutation.line) in places


@pytest.mark.parametrize("name", ["generated", "demo", "styles"])
def test_the_unbroken_projects_have_no_diagnostic(
    name: str, sources: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    assert findings(tmp_path, sources[name]) == []


def every_mutation(sources: Mapping[str, Mapping[str, str]]) -> list[tuple[str, Mutation]]:
    """The mistakes of this run: the same ones each time."""
    made = []
    for kind in KINDS:
        chance = random.Random(f"{SEED} {kind}")
        of_kind = []
        for name, files in sources.items():
            of_kind += [(name, mutation) for mutation in mutations(files, kind, chance, EACH // 2)]
        chance.shuffle(of_kind)
        for number, (name, mutation) in enumerate(of_kind[:EACH]):
            variant = (mutation, shifted(mutation), crlf(mutation))[number % 3]
            made.append((name, variant))
    return made


def test_mistakes_are_found_at_their_line(sources: dict[str, dict[str, str]], tmp_path: Path) -> None:
    made = every_mutation(sources)
    kinds = {mutation.kind for _, mutation in made}
    assert len(made) >= 400, len(made)
    assert len(kinds) >= 20
    assert kinds == set(KINDS)
    missed = []
    for name, mutation in made:
        files = {**sources[name], mutation.path: mutation.text}
        assert files != sources[name]
        found = findings(tmp_path, files)
        if not found_at(mutation, found):
            wrong = mutation.text.splitlines()[mutation.line - 1]
            told = [(str(item.primary.span), item.rule, item.message) for item in found]
            missed.append((mutation.kind, f"{mutation.path}:{mutation.line}", wrong, told))
    assert len(missed) <= 0.02 * len(made), "\n".join(map(str, missed))


HERE = Path(__file__).parent
GOLDEN = sorted({path.parent for path in HERE.glob("golden/*/cmd")})


def golden_files(case: Path) -> dict[str, str]:
    paths = [
        *case.glob("runner.yaml"),
        *case.rglob("connections.d/**/*.y*ml"),
        *case.rglob("workflows.d/**/*.y*ml"),
    ]
    return {path.relative_to(case).as_posix(): path.read_bytes().decode("utf-8", "replace") for path in paths}


def test_jsonschema_alone_says_the_same(
    sources: dict[str, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """jsonschema-rs only makes it faster: with and without it, every word of every diagnostic is the same."""
    corpus = [
        {**sources[name], mutation.path: mutation.text} for name, mutation in every_mutation(sources)[::3]
    ]
    corpus += [files for case in GOLDEN if (files := golden_files(case))]
    assert len(corpus) > 120
    asked = {"valid": 0, "other": 0}
    accepts = schema._accepts

    def counting(judge: object, value: object) -> bool:
        assert judge is not None, "jsonschema-rs is a dependency: the tests are to run with it"
        answer = accepts(judge, value)
        asked["valid" if answer else "other"] += 1
        return answer

    monkeypatch.setattr(schema, "_accepts", counting)
    fast = [findings(tmp_path, files) for files in corpus]
    assert asked["valid"] > 1000
    assert asked["other"] > 20
    monkeypatch.setattr(schema, "_accepts", lambda *_: False)
    for files, expected in zip(corpus, fast, strict=True):
        assert findings(tmp_path, files) == expected
