"""One of the two projects that are compared: its values in one form, its connections in every environment, its hosts."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from runner import flow, presets
from runner import project as projects
from runner.compare import meaning
from runner.compare.conceal import Concealer
from runner.compare.tree import MISSING, listed, mapping
from runner.effective import with_defaults
from runner.flow import UNKNOWN_HOST, Flow
from runner.model import Connection
from runner.project import FOLDERS, SETTINGS, Project
from runner.template import Template

_AUTHORITY = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:[^/?#@{}]*@)?((?:\{\{.*?\}\}|[^/?#])*)")


class Side:
    """A project and what the comparison asks of it. Values are free of typed-in secrets."""

    def __init__(self, project: Project, concealer: Concealer) -> None:
        self.project = project
        self._concealer = concealer
        self._values: dict[str, Any] = {}
        self._projects: dict[str | None, Project] = {None: project}
        self._workflows: dict[str, Any] = {}

    def names(self, kind: str) -> frozenset[str]:
        """Name the files of a kind (`connection`, `workflow`), readable or not."""
        return self.project.connection_names if kind == "connection" else self.project.workflow_names

    def text(self, path: str) -> str | None:
        """Give the text of a file as it stands there; None where there is no file."""
        return self.project.texts.get(path)

    def readable(self, path: str) -> bool:
        """Tell whether a file could be read as YAML."""
        return path in self.project.documents

    def value(self, path: str) -> Any:
        """Give the value of a file, or MISSING where it cannot be read."""
        if path not in self._values:
            known = path in self.project.documents
            self._values[path] = self._concealer.value(self.project, path) if known else MISSING
        return self._values[path]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The meaning of runner.yaml."""
        return meaning.project(self.value(SETTINGS))

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that could be read."""
        return self.project.environments

    def settings_in(self, environment: str | None, key: str) -> dict[str, Any]:
        """Give a mapping of runner.yaml (`policy`, `limits`, ...) as it holds in an environment."""
        chosen = mapping(mapping(self.settings.get("environments")).get(environment or ""))
        return {**mapping(self.settings.get(key)), **mapping(chosen.get(key))}

    def workflow(self, name: str) -> Any:
        """Give the meaning of a workflow, or MISSING where the file cannot be read."""
        if name not in self._workflows:
            value = self.value(file_of("workflow", name))
            self._workflows[name] = value if value is MISSING else meaning.workflow(value)
        return self._workflows[name]

    def chain(self, name: str) -> list[str] | None:
        """Give a connection and what it extends, nearest first; None where that leads nowhere or in a circle."""
        chain = [name]
        while isinstance(parent := mapping(self.value(file_of("connection", chain[-1]))).get("extends"), str):
            if parent in chain or not isinstance(self.value(file_of("connection", parent)), dict):
                return None
            chain.append(parent)
        return chain

    def connection(self, name: str, environment: str | None = None) -> Any:
        """Give the meaning of a connection in an environment, or MISSING where the file cannot be read."""
        own = self.value(file_of("connection", name))
        if own is MISSING:
            return MISSING
        chain = self.chain(name)
        made: dict[str, Any] = {}
        for each in reversed(chain or [name]):
            made.update(mapping(self.value(file_of("connection", each))))
        if chain is not None:
            made.pop("extends", None)
        return meaning.connection(with_defaults({**made, **self.override(name, environment)}))

    def override(self, name: str, environment: str | None) -> dict[str, Any]:
        """Give the keys of a connection that an environment replaces."""
        chosen = mapping(mapping(self.settings.get("environments")).get(environment or ""))
        return mapping(mapping(chosen.get("connections")).get(name))

    def home(self, name: str, key: str) -> str | None:
        """Name the connection in whose file a key of a connection is written; None where it is nowhere."""
        for each in self.chain(name) or [name]:
            if key in mapping(self.value(file_of("connection", each))):
                return each
        return None

    def supplier(self, name: str, key: str) -> str | None:
        """Name the preset that supplies a key of a connection; None where a file of the project does, or nothing."""
        value = self.connection(name)
        type_ = value.get("type") if isinstance(value, dict) else None
        known = isinstance(type_, str) and type_ in presets.names()
        return f"preset {type_}" if known and key in value and self.home(name, key) is None else None

    def within(self, environment: str | None) -> Project:
        """Give the project as an environment makes it; the workflows are the same in all."""
        if environment not in self._projects:
            wanted = (SETTINGS, f"{FOLDERS['connection']}/")
            files = {
                path: text.encode("utf-8", "replace")
                for path, text in self.project.texts.items()
                if path.startswith(wanted)
            }
            made = projects.load(self.project.root, environment=environment, files=files)
            made.workflows, made.workflow_names = self.project.workflows, self.project.workflow_names
            self._projects[environment] = made
        return self._projects[environment]

    def every_environment(self) -> list[str | None]:
        """Give None, which stands for no environment, and the environments."""
        return [None, *self.environments]

    def hosts(self) -> dict[str, list[tuple[str, str, str | None]]]:
        """List the hosts that requests may reach, each with who reaches it: what, name, environment."""
        found: dict[str, list[tuple[str, str, str | None]]] = {}
        for environment in self.every_environment():
            project = self.within(environment)
            for host, *who in _hosts(project):
                found.setdefault(host, []).append((who[0], who[1], environment))
        return found

    def flows(self, workflows: frozenset[str] | None = None) -> list[tuple[str | None, Flow]]:
        """List which secret reaches which host, in every environment; of some workflows only, where they are named."""
        found: list[tuple[str | None, Flow]] = []
        for environment in self.every_environment():
            project = self.within(environment)
            if workflows is not None:
                chosen = {name: each for name, each in project.workflows.items() if name in workflows}
                project = replace(project, workflows=chosen)
            found += [(environment, each) for each in flow.compute(project)]
        return found


def file_of(kind: str, name: str) -> str:
    """Give the path of a connection's or workflow's file."""
    return f"{FOLDERS[kind]}/{name}.yaml"


def _hosts(project: Project) -> Iterator[tuple[str, str, str]]:
    for name, connection in sorted(project.connections.items()):
        yield _known(flow.connection_host(project, connection), connection.base_url), "connection", name
        for url in _further_urls(project, connection):
            yield url, "connection", name
    for name, workflow in sorted(project.workflows.items()):
        for action in workflow.every_action:
            if action.kind == "request" and action.config.url is not None:
                host = flow.request_host(project, action) or UNKNOWN_HOST
                yield _known(host, action.config.url), "workflow", name


def _further_urls(project: Project, connection: Connection) -> Iterator[str]:
    """Give the hosts of other URLs that a connection names, such as where a token is asked for."""
    path = file_of("connection", connection.name)
    document = project.documents.get(path)
    auth = mapping(mapping(document.value if document else None).get("auth"))
    for item in [
        *auth.values(),
        *(value for each in listed(auth.get("keys")) for value in mapping(each).values()),
    ]:
        if isinstance(item, str) and re.match("https?://", item, re.IGNORECASE):
            yield _authority(item).lower()


def _known(host: str, url: Template) -> str:
    """Tell hosts that only a run knows apart by what they are made of."""
    return host if host != UNKNOWN_HOST else f"{UNKNOWN_HOST} {_authority(url.text)}"


def _authority(url: str) -> str:
    match = _AUTHORITY.match(url)
    return match[1].strip() if match else url
