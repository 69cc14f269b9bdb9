"""Which secret reaches which host, by which channel: computed once for a project, from its files alone.

A source is a secret reference, a secret input, or the output of a sensitive action. It flows from template to template
through `set`, outputs, and inputs of called workflows until a request sends it somewhere.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from runner import template
from runner.calls import callee
from runner.errors import JsonObject
from runner.expression import facts
from runner.frozen import dataclass
from runner.model import Action, Connection, Workflow
from runner.order import Order
from runner.project import Project, filled
from runner.reference import Reference
from runner.source import Span
from runner.template import Template

UNKNOWN_HOST = "‹known at run time›"

HARMLESS = frozenset({"sha256", "hmac_sha256", "length", "count"})
"""Filters that let no secret through: what they give says next to nothing of it."""

_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


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
        flows += [
            Flow(
                source=Source(text=ref.text, owner=f"connection {connection.name}"),
                host=host,
                channel=connection.said(where),
                connection=connection.name,
                workflow=None,
                action=None,
                span=ref.span,
            )
            for where, ref in connection.secrets.items()
            if where != "tls.ca"
            for host in secret_hosts(project, connection, where)
        ]
    for workflow in project.workflows.values():
        if _has_secrets(workflow):
            flows += _Workflow(project, workflow).flows()
    unique = {(*flow.sort_key, flow.span): flow for flow in flows}
    return sorted(unique.values(), key=lambda flow: flow.sort_key)


def _has_secrets(workflow: Workflow) -> bool:
    return (
        bool(workflow.secrets)
        or any(each.secret for each in workflow.inputs.values())
        or any(action.sensitive for action in workflow.every_action)
    )


def connection_host(project: Project, connection: Connection) -> str:
    """Give the host (and port, where one is written) of a connection's base URL."""
    return _host_of(project, connection.base_url)


def secret_hosts(project: Project, connection: Connection, where: str) -> list[str]:
    """Give the hosts that a secret of a connection goes to: of some auth types they are others than the base URL's."""
    return list(dict.fromkeys(_host_of(project, url) for url in connection.destinations(where)))


def request_host(project: Project, action: Action) -> str | None:
    """Give the host that a request goes to; None for an action that sends nothing."""
    if action.kind != "request":
        return None
    if action.config.url is not None:
        return _host_of(project, action.config.url)
    connection = project.connections.get(action.connection or "")
    return connection_host(project, connection) if connection else UNKNOWN_HOST


def address(project: Project, url: Template) -> tuple[str, str, int] | None:
    """Give scheme, host and port of a URL where the files say them, else None."""
    text = url.text if url.constant else filled(project, url)
    scheme, mark, rest = text.strip().partition("://")
    netloc = rest.partition("/")[0].partition("?")[0].partition("#")[0]
    if not mark or not netloc or any(brace in scheme + netloc for brace in ("{{", "{%", "{#")):
        return None
    try:
        parts = urlsplit(f"//{netloc.rpartition('@')[2]}")
        port = parts.port or _PORTS.get(scheme.lower(), 0)
    except ValueError:
        return None
    host = parts.netloc.removesuffix(f":{parts.port}").rstrip(".").lower()
    return (scheme.lower(), host, port) if host else None


def _host_of(project: Project, url: Template) -> str:
    known = address(project, url)
    if known is None:
        return UNKNOWN_HOST
    scheme, host, port = known
    return host if port == _PORTS.get(scheme) else f"{host}:{port}"


class _Workflow:
    """The flows of one workflow: what each action's output carries, and what each request sends."""

    def __init__(
        self,
        project: Project,
        workflow: Workflow,
        given: Mapping[str, frozenset[Source]] | None = None,
        callers: tuple[str, ...] = (),
    ) -> None:
        self.project = project
        self.workflow = workflow
        self.given = given or {}  # what a call puts into secret inputs
        self.callers = (*callers, workflow.name)
        # Of each action what the parts of its output carry, by the keys of a `set`; None stands for the whole.
        self.carried: dict[str, dict[str | None, frozenset[Source]]] = {}

    def flows(self) -> Iterator[Flow]:
        """Walk through the actions in their order: each sees what those before it carry."""
        for action in Order(self.workflow).sequence():
            host = request_host(self.project, action)
            if host is not None:
                yield from self._sent(action, host)
            called = self._called(action)
            if called is not None:
                yield from called.flows()
            self.carried[action.id] = self._output(action, host, called)

    def _called(self, action: Action) -> "_Workflow | None":
        """Give the flows of a called workflow, with what this call gives to its secret inputs."""
        workflow = callee(self.project, action)
        if workflow is None or workflow.name in self.callers:
            return None
        given = {
            name: self._made_of(action.inputs[name])
            for name, declared in workflow.inputs.items()
            if declared.secret and name in action.inputs
        }
        if not any(given.values()) and not action.sensitive:
            return None  # what it does by itself is found where it is walked through by itself
        return _Workflow(self.project, workflow, given, self.callers)

    def _sent(self, action: Action, host: str) -> Iterator[Flow]:
        for name, tree in _parts(action):
            for each in template.templates(tree):
                for reference, sources in self._sources(each):
                    for source in sorted(sources, key=str):
                        yield Flow(
                            source=source,
                            host=host,
                            channel=name,
                            connection=action.connection,
                            workflow=self.workflow.name,
                            action=action.id,
                            span=each.place(reference.start, reference.end),
                        )

    def _output(
        self, action: Action, host: str | None, called: "_Workflow | None"
    ) -> dict[str | None, frozenset[Source]]:
        """Say what the output of an action carries; that of each item where it has some."""
        parts = self._made(action, host, called)
        if action.for_each is None:
            return parts
        return {None: frozenset(source for sources in parts.values() for source in sources)}

    def _made(
        self, action: Action, host: str | None, called: "_Workflow | None"
    ) -> dict[str | None, frozenset[Source]]:
        """Say what an action gives: a computed value what it was made of, an answer what it is."""
        if called is not None:
            return {name: called._made_of(tree) for name, tree in called.workflow.outputs.items()}  # noqa: SLF001
        if action.sensitive and host is not None:
            text = f"actions.{action.id}.output"
            return {None: frozenset({Source(text=text, owner=f"workflow {self.workflow.name}", home=host)})}
        if action.kind != "set":
            return {}
        return {key: self._made_of(tree) for key, tree in action.config.items()}

    def _made_of(self, tree: template.Tree) -> frozenset[Source]:
        return frozenset(
            source
            for each in template.templates(tree)
            for _, sources in self._sources(each)
            for source in sources
        )

    def _sources(self, each: Template) -> Iterator[tuple[Reference, frozenset[Source]]]:
        """Give the uses of a template that carry secrets on; what is hashed, counted or only compared does not."""
        for use in facts(each).uses:
            if not use.judged and not HARMLESS & set(use.filters):
                sources = self._behind(use.reference)
                if sources:
                    yield use.reference, sources

    def _behind(self, reference: Reference) -> frozenset[Source]:
        """Say which secrets a reference gives; one as a whole, or with a computed key, gives all of them."""
        owner = f"workflow {self.workflow.name}"
        name = str(reference.path[0]) if reference.path else None
        if reference.root == "secrets":
            secrets = self.workflow.secrets
            return frozenset(
                Source(text=ref.text, owner=owner) for key, ref in secrets.items() if name in (key, None)
            )
        if reference.root == "inputs":
            return frozenset(
                source
                for declared in self.workflow.inputs.values()
                if declared.secret and name in (declared.name, None)
                for source in self.given.get(
                    declared.name, [Source(text=f"inputs.{declared.name}", owner=owner)]
                )
            )
        if reference.root == "actions" and reference.path[1:2] in ((), ("output",)):
            part = reference.path[2] if len(reference.path) > 2 else None
            return frozenset(
                source
                for key, parts in self.carried.items()
                if name in (key, None)
                for own, carried in parts.items()
                if part is None or own in (part, None)
                for source in carried
            )
        return frozenset()


def _parts(action: Action) -> Iterator[tuple[str, Any]]:
    """Give the parts of a request, with the names of their channels."""
    config = action.config
    for name in ("path", "url"):
        yield f"request.{name}", getattr(config, name)
    for name in ("query", "headers"):
        for key, tree in getattr(config, name).items():
            yield f"request.{name}.{key}", tree
    yield f"request.{config.body_key or 'body'}", config.body
