"""Makes a large project, the same one every time: `python -m benchmarks.generate DIR [WORKFLOWS [CONNECTIONS]]`.

Workflows of about 65 lines as people write them: inputs, eight actions on two connections, conditions, filters,
expectations, outputs. The project has no diagnostics, warnings included.
"""

import argparse
import random
import shutil
from pathlib import Path

WORKFLOWS = 1000
CONNECTIONS = 100
SEED = 65

_NOUNS = (
    "ticket",
    "invoice",
    "order",
    "device",
    "account",
    "shipment",
    "contract",
    "incident",
    "asset",
    "lead",
)
_PLACES = ("eu", "us", "apac", "latam", "uk")
_TEAMS = ("support", "billing", "logistics", "sales", "platform")

_CONNECTION = """\
# yaml-language-server: $schema=../schemas/connection.schema.json
type: {type}
description: {title} system of {team}, number {number}
base_url: https://{noun}-{number}.{{{{ vars.site }}}}.example.com/api/v2
shared: true
auth:
{auth}
headers:
  X-Api-Version: "2024-01"
  X-Team: {team}
test:
  path: /me
  expect: {{that: ["{{{{ response.body.id }}}}"]}}
timeout: 20s
"""

_AUTH = {
    "bearer": "  token: vault://secret/{team}/{noun}-{number}#api_token",
    "basic": "  username: runner\n  password: vault://secret/{team}/{noun}-{number}#password",
    "api_key": "  key: vault://secret/{team}/{noun}-{number}#api_key\n  in: header\n  name: X-Api-Key",
}

_WORKFLOW = """\
# yaml-language-server: $schema=../schemas/workflow.schema.json
description: Escalate {noun}s of {team} that nobody touched for a while
inputs:
  days: {{type: integer, default: {days}, minimum: 1, description: days without an update}}
  team: {{type: string, default: {team}}}
  limit: {{type: integer, default: {limit}, minimum: 1, maximum: 500}}
vars:
  label: "{noun}s of {{{{ inputs.team }}}} in {{{{ vars.site }}}}"
actions:
  # What is idle, the oldest first.
  - id: search
    connection: {first}
    request:
      path: /{noun}s
      query:
        q: "status<solved updated<{{{{ inputs.days }}}}days"
        limit: "{{{{ inputs.limit }}}}"
    expect: {{status: 200, that: ["{{{{ response.body.results is defined }}}}"]}}
    output: "{{{{ response.body.results }}}}"
  - id: chosen
    set:
      count: "{{{{ actions.search.output | length }}}}"
      ids: "{{{{ actions.search.output | map(attribute='id') | list }}}}"
      oldest: "{{{{ actions.search.output | first | default(none) }}}}"
  - id: owner
    name: The one to ask
    connection: {first}
    request: {{path: "/teams/{{{{ inputs.team }}}}/owner"}}
    retry: {{attempts: 5}}
  - id: open
    connection: {second}
    request:
      method: POST
      path: /incidents
      headers: {{X-Request: "{{{{ run.id }}}}"}}
      json:
        title: "{{{{ actions.chosen.output.count }}}} {{{{ vars.label }}}} are idle"
        assignee: {{email: "{{{{ actions.owner.output.email }}}}", team: "{{{{ inputs.team }}}}"}}
        {noun}s: "{{{{ actions.chosen.output.ids }}}}"
    expect: {{status: [201, 409]}}
    output: "{{{{ response.body.incident }}}}"

  - id: raise
    connection: {first}
    request:
      method: PUT
      path: /{noun}s/{{{{ actions.chosen.output.oldest.id }}}}
      json: {{priority: urgent, incident: "{{{{ actions.open.output.id }}}}"}}
    timeout: 45s
  - id: settle
    wait: {wait}s
  - id: verify
    connection: {second}
    request: {{path: "/incidents/{{{{ actions.open.output.id }}}}"}}
    expect: {{that: ["{{{{ response.body.state in ['open', 'acknowledged'] }}}}"]}}

  - id: note
    connection: {first}
    request:
      method: POST
      path: /{noun}s/{{{{ actions.chosen.output.oldest.id }}}}/notes
      json: {{text: "Incident {{{{ actions.verify.output.number }}}}, run {{{{ run.id }}}}"}}
    on_error: continue

outputs:
  escalated: "{{{{ actions.chosen.output.count }}}}"
  updated: "{{{{ actions.raise.output.updated_at }}}}"
  noted: "{{{{ actions.note.status == 'succeeded' }}}}"
"""


def write(root: Path, *, workflows: int = WORKFLOWS, connections: int = CONNECTIONS) -> None:
    """Write the project to a directory; what stood in its folders before is removed."""
    chance = random.Random(SEED)
    for folder in ("connections.d", "workflows.d"):
        shutil.rmtree(root / folder, ignore_errors=True)
        (root / folder).mkdir(parents=True)
    (root / "runner.yaml").write_text("vars: {site: eu}\n", encoding="utf-8")
    names = []
    for number in range(connections):
        noun, team = chance.choice(_NOUNS), chance.choice(_TEAMS)
        kind = chance.choice(sorted(_AUTH))
        words = {"noun": noun, "team": team, "number": number}
        text = _CONNECTION.format(type=kind, auth=_AUTH[kind].format(**words), title=noun.title(), **words)
        names.append(f"{chance.choice(_PLACES)}/{noun}-{number}")
        _save(root / "connections.d" / f"{names[-1]}.yaml", text)
    for number in range(workflows):
        # Two neighbours in turn, so that every connection is used.
        first, second = names[number % connections], names[(number + 1) % connections]
        noun, team = chance.choice(_NOUNS), chance.choice(_TEAMS)
        text = _WORKFLOW.format(
            noun=noun,
            team=team,
            first=first,
            second=second,
            days=chance.randint(1, 90),
            limit=chance.randint(1, 500),
            wait=chance.randint(1, 60),
        )
        _save(root / "workflows.d" / f"{team}/escalate-{noun}s-{number}.yaml", text)


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> None:
    """Write the project that the command line names."""
    parser = argparse.ArgumentParser(description="make a large project to measure with")
    parser.add_argument("directory", type=Path)
    parser.add_argument("workflows", type=int, nargs="?", default=WORKFLOWS)
    parser.add_argument("connections", type=int, nargs="?", default=CONNECTIONS)
    options = parser.parse_args()
    write(options.directory, workflows=options.workflows, connections=options.connections)


if __name__ == "__main__":
    main()
