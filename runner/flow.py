"""Which secret reaches which host, by which channel: computed once for a project, from its files alone.

A source is a secret reference, a secret input, or the output of a sensitive action. It flows from template to template
through `set` and outputs until a request sends it somewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from runner import template
from runner.errors import JsonObject
from runner.model import Action, Connection, Workflow
from runner.project import Project, filled
from runner.source import Span
from runner.template import Template

UNKNOWN_HOST = "‹known at run time›"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Source:
    """Where a secret comes from: `text` is the reference as written, or `inputs.NAME`, `actions.ID.output`.

    `home` is the host it was obtained from, for the output of a sensitive request.
    """

    text: str
    owner: str
    home: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A secret that can reach a host. `channel` is where it is sent (`auth.token`, `request.json`)."""

    source: Source
    host: str
    channel: str
    connection: str | None
    workflow: str | None
    action: str | None
    span: Span

    @property
    def sort_key(self) -> tuple[str, ...]:
        """A stable order: by secret, host, place."""
        return (
            self.source.text,
            self.source.owner,
            self.host,
            self.channel,
            self.workflow or "",
            self.action or "",
        )

    def to_json(self) -> JsonObject:
        """Give the flow as `runner validate --format json` carries it."""
        data: JsonObject = {
            "secret": self.source.text,
            "of": self.source.owner,
            "host": self.host,
            "channel": self.channel,
        }
        for name in ("connection", "workflow", "action"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        data["file"], data["line"] = self.span.path, self.span.start.line
        return data


def compute(project: Project) -> list[Flow]:
    """List every flow of a project, in a stable order."""
    flows: list[Flow] = []
    for connection in project.connections.values():
        host = connection_host(project, connection)
        flows += [
            Flow(
                source=Source(text=ref.text, owner=f"connection {connection.name}"),
                host=host,
                channel=where,
                connection=connection.name,
                workflow=None,
                action=None,
                span=ref.span,
            )
            for where, ref in connection.secrets.items()
            if where != "tls.ca"
        ]
    for workflow in project.workflows.values():
        flows += _Workflow(project, workflow).flows()
    unique = {(*flow.sort_key, flow.span): flow for flow in flows}
    return sorted(unique.values(), key=lambda flow: flow.sort_key)


def connection_host(project: Project, connection: Connection) -> str:
    """Give the host (and port, where one is written) of a connection's base URL."""
    return _host_of(project, connection.base_url)


def request_host(project: Project, action: Action) -> str | None:
    """Give the host that a request goes to; None for an action that sends nothing."""
    if action.kind != "request":
        return None
    if action.config.url is not None:
        return _host_of(project, action.config.url)
    connection = project.connections.get(action.connection or "")
    return connection_host(project, connection) if connection else UNKNOWN_HOST


def _host_of(project: Project, url: Template) -> str:
    text = url.text if url.constant else filled(project, url)
    rest = text.strip().partition("://")[2]
    netloc = rest.partition("/")[0].partition("?")[0]
    if not netloc or "{{" in netloc or "{%" in netloc:
        return UNKNOWN_HOST
    try:
        return urlsplit(f"//{netloc.rpartition('@')[2]}").netloc.lower()
    except ValueError:
        return UNKNOWN_HOST


class _Workflow:
    """The flows of one workflow: what each action's output carries, and what each request sends."""

    def __init__(self, project: Project, workflow: Workflow) -> None:
        self.project = project
        self.workflow = workflow
        self.carried: dict[str, frozenset[Source]] = {}

    def flows(self) -> Iterator[Flow]:
        for action in self.workflow.every_action:
            host = request_host(self.project, action)
            carried: frozenset[Source] = frozenset()
            for name, tree in _parts(action):
                for each in template.templates(tree):
                    sources = self._sources(each)
                    carried |= sources
                    if host is None:
                        continue
                    for source in sorted(sources):
                        yield Flow(
                            source=source,
                            host=host,
                            channel=name,
                            connection=action.connection,
                            workflow=self.workflow.name,
                            action=action.id,
                            span=each.span,
                        )
            self.carried[action.id] = self._output(action, host, carried)

    def _output(self, action: Action, host: str | None, carried: frozenset[Source]) -> frozenset[Source]:
        """Say what the output of an action carries: a computed value what it was made of, an answer what it is."""
        if action.sensitive and host is not None:
            return frozenset(
                {
                    Source(
                        text=f"actions.{action.id}.output", owner=f"workflow {self.workflow.name}", home=host
                    )
                }
            )
        return carried if action.kind == "set" else frozenset()

    def _sources(self, each: Template) -> frozenset[Source]:
        owner = f"workflow {self.workflow.name}"
        found: set[Source] = set()
        for reference in each.references:
            name = str(reference.path[0]) if reference.path else None
            if reference.root == "secrets":
                names = [name] if name else list(self.workflow.secrets)
                found |= {
                    Source(text=self.workflow.secrets[key].text, owner=owner)
                    for key in names
                    if key in self.workflow.secrets
                }
            elif reference.root == "inputs":
                found |= {
                    Source(text=f"inputs.{declared.name}", owner=owner)
                    for declared in self.workflow.inputs.values()
                    if declared.secret and name in (declared.name, None)
                }
            elif reference.root == "actions" and reference.path[1:2] in ((), ("output",)):
                names = [name] if name else list(self.carried)
                for key in names:
                    found |= self.carried.get(key, frozenset())
        return frozenset(found)


def _parts(action: Action) -> Iterator[tuple[str, Any]]:
    """Give the parts of an action that are sent, or that its output is made of, with the names of their channels."""
    config = action.config
    if action.kind == "request":
        for name in ("path", "url"):
            yield f"request.{name}", getattr(config, name)
        for name in ("query", "headers"):
            for key, tree in getattr(config, name).items():
                yield f"request.{name}.{key}", tree
        yield f"request.{config.body_kind or 'body'}", config.body
    elif action.kind == "set":
        yield "set", config
