"""A project: found from the working directory, read, checked against the schemas, bound."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Any

from runner import bind_connection, bind_workflow, effective, policy, project_files, schema, users
from runner.bind import Binder, report_typed_in
from runner.diagnostics import Diagnostic, Severity, error, names_hint
from runner.document import LARGEST_FILE, Document, Pointer, read, read_bytes
from runner.errors import UsageError
from runner.frozen import dataclass
from runner.garbage import uncollected
from runner.model import Connection, Workflow
from runner.policy import Policy
from runner.source import Span, whole_file
from runner.template import Template
from runner.users import Users

FOLDERS = {"connection": "connections.d", "workflow": "workflows.d"}
SETTINGS = "runner.yaml"
_VARIABLE = re.compile(r"\{\{\s*(?:vars\.([A-Za-z_]\w*)|(environment))\s*\}\}")


@dataclass(slots=True, kw_only=True)
class Project:
    """Everything that the files of a project say, and every diagnostic of reading them.

    `users` is None where there is no users.yaml, and empty where it has errors.
    `connections` and `workflows` hold what could be read; the names of all files, readable or not, are in
    `connection_names` and `workflow_names`. `texts` holds the text of every file by its shown path, `stray_templates` the
    templates of connections that have errors.
    """

    root: Path
    environment: str | None = None
    environments: tuple[str, ...] = ()
    vars: Mapping[str, Any] = field(default_factory=dict)
    known_vars: frozenset[str] = frozenset()
    vault: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    users: Users | None = None
    connections: dict[str, Connection] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    connection_names: frozenset[str] = frozenset()
    workflow_names: frozenset[str] = frozenset()
    documents: dict[str, Document] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    stray_templates: list[Template] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def filled(project: Project, template: Template) -> str:
    """Give the text of a template with `vars` and `environment` put in where the files say what they are."""
    return filled_text(project, template.text)


def filled_text(project: Project, text: str) -> str:
    """Put `vars` and `environment` into a text where the files say what they are."""

    def value(match: re.Match[str]) -> str:
        known = project.environment if match[2] else project.vars.get(match[1])
        return known if isinstance(known, str) and "{{" not in known else match[0]

    return _VARIABLE.sub(value, text)


def find(directory: Path | None, cwd: Path) -> Path:
    """Find the project's directory: the given one, or the nearest above `cwd`; raises UsageError where there is none."""
    if directory is not None:
        path = (cwd / directory).resolve()
        if not path.is_dir():
            raise UsageError(f"no directory '{directory}'", help="give the project's directory with -C DIR")
        if _is_project(path):
            return path
        raise UsageError(
            f"'{directory}' is no project: it has no connections.d/ or workflows.d/", help=_MAKE_ONE
        )
    start = cwd.resolve()
    for path in (start, *start.parents):
        if _is_project(path):
            return path
    raise UsageError(
        "no project here or above: no directory with connections.d/ or workflows.d/", help=_MAKE_ONE
    )


_MAKE_ONE = "go to a project, name one with -C DIR, or make one: runner init"


def load(
    root: Path,
    *,
    environment: str | None = None,
    files: Mapping[str, bytes] | None = None,
    only: Sequence[str] = (),
) -> Project:
    """Read a project. Raises UsageError for an unknown environment; everything else is a diagnostic.

    With `files`, contents by path below `root`, they are the project and nothing is read from the directory. With
    `only`, paths below `root`, workflows that say nothing of what is wrong in these are not read: such a project is good
    for `check(project, only)` and nothing else.
    """
    project = Project(root=root, environment=environment)
    loader = _Loader(project, files)
    with uncollected():
        loader.settings()
        loader.users()
        loader.connections()
        loader.workflows(only)
    return project


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_FILE)


def _is_project(path: Path) -> bool:
    return any((path / folder).is_dir() for folder in FOLDERS.values())


class _Loader:
    """Reads the files of one project."""

    def __init__(self, project: Project, files: Mapping[str, bytes] | None) -> None:
        self.project = project
        self.files = files
        self.overrides: Mapping[str, Any] = {}

    def _read(self, shown: str) -> Document | None:
        path = self.project.root / shown
        given = self.files.get(shown) if self.files is not None else None
        document, found = read(path, shown) if given is None else read_bytes(given, shown)
        self.project.diagnostics += found
        if document is not None:
            self.project.documents[shown] = document
            self.project.texts[shown] = document.text
        elif given is not None or path.is_file():
            try:
                raw = _beginning(path) if given is None else given[:LARGEST_FILE]
                self.project.texts[shown] = raw.decode("utf-8", "replace")
            except OSError:
                self.project.texts[shown] = ""
        return document

    def _mapping(self, document: Document, name: str) -> bool:
        if isinstance(document.value, dict):
            return True
        if not isinstance(document.value, list):  # rules look into mappings and lists
            del self.project.documents[document.path]
        what = "the file is empty" if document.value is None else f"a {name} file holds a mapping"
        self.project.diagnostics.append(
            error(
                "wrong-type", what, document.span(()), help=f"`runner schema {name}` says which keys it takes"
            )
        )
        return False

    def settings(self) -> None:
        """Read runner.yaml and choose the environment."""
        project = self.project
        value: dict[str, Any] = {}
        if self._there(SETTINGS):
            document = self._read(SETTINGS)
            if document is not None and document.value is not None and self._mapping(document, "project"):
                found = schema.check("project", document.value, document.locate)
                project.diagnostics += [diagnostic for _, diagnostic in found]
                if not found:
                    value = document.value
        environments = value.get("environments", {})
        project.environments = tuple(sorted(environments))
        chosen: dict[str, Any] = {}
        if project.environment is not None:
            if project.environment not in environments and not _has_errors(project):
                raise UsageError(
                    f"no environment '{project.environment}' in {SETTINGS}",
                    help=names_hint(project.environment, environments, what="environments"),
                )
            chosen = environments.get(project.environment, {})
        project.vars = {**value.get("vars", {}), **chosen.get("vars", {})}
        project.limits = {**value.get("limits", {}), **chosen.get("limits", {})}
        project.policy = policy.bind({**value.get("policy", {}), **chosen.get("policy", {})})
        project.vault = {**value.get("vault", {}), **chosen.get("vault", {})}
        known = set(project.vars)
        if project.environment is None:
            known.update(*(each.get("vars", {}) for each in environments.values()))
        project.known_vars = frozenset(known)
        self.overrides = chosen.get("connections", {})

    def users(self) -> None:
        """Read users.yaml."""
        if not self._there(users.FILE):
            return
        self.project.users = {}
        document = self._read(users.FILE)
        if document is not None and self._mapping(document, "users"):
            found = [item for _, item in schema.check("users", document.value, document.locate)]
            if not found:
                known = users.bind(document.value)
                found = list(users.doubles(document, known))
            self.project.diagnostics += found
            if not found:
                self.project.users = known

    def _there(self, shown: str) -> bool:
        return (self.project.root / shown).exists() if self.files is None else shown in self.files

    def _files(self, kind: str) -> dict[str, str]:
        """List the files of a folder by name: the path below the folder without suffix."""
        found: dict[str, str] = {}
        for shown in self._listed(FOLDERS[kind]):
            path = PurePosixPath(shown)
            if path.suffix not in (".yaml", ".yml") or any(part.startswith(".") for part in path.parts):
                continue
            if path.suffix == ".yml":
                self.project.diagnostics.append(
                    error(
                        "unreadable-file",
                        "files end in .yaml; this one is not read",
                        whole_file(shown),
                        help=f"rename it to {path.stem}.yaml",
                    )
                )
                continue
            found[path.relative_to(FOLDERS[kind]).with_suffix("").as_posix()] = shown
        return found

    def _listed(self, folder: str) -> list[str]:
        if self.files is not None:
            return sorted(path for path in self.files if path.startswith(f"{folder}/"))
        files, found = project_files.listed(self.project.root, folder)
        self.project.diagnostics += found
        return files

    def _content(self, shown: str) -> bytes:
        """Give the bytes of a file; nothing where it cannot be read: `_read` tells why."""
        if self.files is not None:
            return self.files[shown]
        path = self.project.root / shown
        try:
            return path.read_bytes() if path.is_file() else b""
        except OSError:
            return b""

    def connections(self) -> None:
        """Read connections.d/, with `extends` and the environment's overrides applied."""
        project = self.project
        documents: dict[str, Document] = {}
        files = self._files("connection")
        for name, path in files.items():
            document = self._read(path)
            if document is not None and self._mapping(document, "connection"):
                documents[name] = document
        project.connection_names = frozenset(files)
        for name in self.overrides:
            if name not in files:
                settings = project.documents[SETTINGS]
                place: Pointer = ("environments", str(project.environment), "connections", name)
                project.diagnostics.append(
                    error(
                        "undefined-connection",
                        f"no connection '{name}'",
                        settings.span(place, key=True),
                        help=names_hint(name, files, what="connections"),
                    )
                )
        chains = {name: self._chain(name, documents) for name in documents}
        for name, chain in sorted(chains.items(), key=lambda pair: len(pair[1] or ())):
            if chain is not None:  # what is extended comes first
                self._connection(name, chain, documents)

    def _connection(self, name: str, chain: list[str], documents: dict[str, Document]) -> None:
        project = self.project
        document = documents[name]
        value: dict[str, Any] = {}
        origins: dict[str, tuple[Document, Pointer]] = {}
        for each in reversed(chain):
            own = documents[each].value
            value.update({key: item for key, item in own.items() if not key.startswith("x-")})
            origins.update(dict.fromkeys(own, (documents[each], ())))
        override = self.overrides.get(name, {})
        if override:
            settings = project.documents[SETTINGS]
            base: Pointer = ("environments", str(project.environment), "connections", name)
            value.update(override)
            origins.update(dict.fromkeys(override, (settings, base)))

        def origin(pointer: Pointer) -> tuple[Document, Pointer]:
            home, base = origins.get(str(pointer[0]), (document, ())) if pointer else (document, ())
            return home, (*base, *pointer)

        def locate(pointer: Pointer, key: bool) -> Span:
            home, place = origin(pointer)
            if home is not document and home.path != SETTINGS:
                return document.span(("extends",))
            return home.span(place, key=key)

        # What is extended counts as written here: together they must be a whole connection.
        whole = {key: item for key, item in value.items() if key != "extends"} if len(chain) > 1 else value
        found = schema.check("connection", whole, locate)
        made = effective.effective(value)
        if not found:
            wrong = effective.problems(made, locate, lambda text: filled_text(project, text))
            found = [((), item) for item in wrong]
        inherited = {place for place, _ in found if not place or origin(place)[0] is not document}
        parent_broken = len(chain) > 1 and chain[1] not in project.connections
        project.diagnostics += [item for place, item in found if not (place in inherited and parent_broken)]
        binder = Binder(made.origin(origin), made)
        if found:
            report_typed_in(made.value.get("type"), made.value.get("auth"), binder)
            project.diagnostics += [item for item in binder.diagnostics if item not in project.diagnostics]
            spare = Binder(made.origin(origin), made)
            project.stray_templates += bind_connection.templates_only(
                made, spare, {place for place, _ in found}
            )
            return
        connection = bind_connection.bind(name, made, binder, made.sources(origin, document, SETTINGS))
        project.diagnostics += [item for item in binder.diagnostics if item not in project.diagnostics]
        if connection is not None:
            project.connections[name] = connection
        else:
            project.stray_templates += binder.templates

    def _chain(self, name: str, documents: dict[str, Document]) -> list[str] | None:
        """Follow `extends`: the connection first, what it extends after it; None, and a diagnostic, where it fails."""
        chain = [name]
        while True:
            document = documents[chain[-1]]
            parent = document.value.get("extends")
            if not isinstance(parent, str):
                return chain
            if parent in chain:
                message = f"'extends' leads back to itself: {' -> '.join([*chain, parent])}"
                self.project.diagnostics.append(
                    error("undefined-connection", message, document.span(("extends",)))
                )
                return None
            if parent not in documents:
                if chain[-1] == name and parent not in self.project.connection_names:
                    remedy = names_hint(parent, documents, what="connections")
                    self.project.diagnostics.append(
                        error(
                            "undefined-connection",
                            f"no connection '{parent}' to extend",
                            document.span(("extends",)),
                            help=remedy,
                        )
                    )
                return None
            chain.append(parent)

    def workflows(self, only: Sequence[str] = ()) -> None:
        """Read workflows.d/, or what of it a check of `only` needs."""
        project = self.project
        files = self._files("workflow")
        project.workflow_names = frozenset(files)
        chosen = project_files.needed(only, files.values(), self._content) if only else None
        if chosen is not None:
            self._workflows({name: path for name, path in files.items() if path in chosen})
            self._called(files)
            used = {name for workflow in project.workflows.values() for name in workflow.connections}
            if project_files.connections_in(only) <= used:
                return
        # What no workflow seems to use is judged by all of them.
        self._workflows({name: path for name, path in files.items() if name not in project.workflows})

    def _called(self, files: Mapping[str, str]) -> None:
        """Read what the workflows call that were read: a call is judged by the inputs of the called one."""
        project = self.project
        while True:
            actions = [action for each in project.workflows.values() for action in each.every_action]
            names = {action.config for action in actions if action.kind == "workflow"}
            left = {name: path for name, path in files.items() if name in names and path not in project.texts}
            if not left:
                return
            self._workflows(left)

    def _workflows(self, files: Mapping[str, str]) -> None:
        project = self.project
        for name, path in files.items():
            if path in project.texts:
                continue  # it was read before, and has no workflow in it
            document = self._read(path)
            if document is None or not self._mapping(document, "workflow"):
                continue
            found = schema.check("workflow", document.value, document.locate)
            project.diagnostics += [diagnostic for _, diagnostic in found]
            binder = Binder(document.origin)
            workflow = bind_workflow.bind(name, document, binder, frozenset(place for place, _ in found))
            project.diagnostics += binder.diagnostics
            project.workflows[name] = workflow


def _has_errors(project: Project) -> bool:
    return any(item.severity is Severity.ERROR for item in project.diagnostics)
