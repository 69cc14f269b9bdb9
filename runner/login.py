"""`runner connections login` and `logout` without the terminal: what is stored where, obtained, tested, written, ended.

Nothing is written before it was tested, and only where nobody else has written since it was read.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import Any

from runner import registry
from runner.auth import Person
from runner.auth_fields import fields_of
from runner.connection_test import UNTESTED, send_test, test_workflow
from runner.errors import Failure, FailureError, FailureKind, JsonObject, SecretsError, UsageError
from runner.frozen import dataclass
from runner.means import ConnectionMeans
from runner.model import Action, Connection, Workflow
from runner.plan import Plan, host_of, require_user, resolved_refs
from runner.project import Project
from runner.secret_ref import ResolvedRef, SecretRef
from runner.secrets import StoredPath
from runner.session import Session
from runner.template import Tree, render

HOST_NOTE = "runner_host"
"""The note beside a path that says which host its credentials are for."""
CONNECTION_NOTE = "runner_connection"
RUN_FIELDS = frozenset({"access_token", "expires_at", "obtained_at", "scope", "token_host", "claim", "dead"})
"""What runs and logins keep beside a refresh token: another consent replaces all of it."""


OVER = 3
"""How often a consent is tried to be written where others write at the same time."""


class Draft:
    """A path in memory: what will be stored when its test has passed."""

    def __init__(self, label: str, fields: Mapping[str, Any]) -> None:
        self.label = label
        self.fields = dict(fields)
        self._version = 1

    async def read(self) -> tuple[JsonObject, int]:
        """Give the fields."""
        return dict(self.fields), self._version

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Replace the fields."""
        if version != self._version:
            return None
        self.fields, self._version = dict(fields), version + 1
        return self._version

    async def check_writable(self, version: int) -> None:
        """Be writable."""

    async def check_deletable(self) -> None:
        """Be deletable."""

    async def describe(self, notes: Mapping[str, str], *, few_versions: bool = False) -> None:
        """Keep no notes."""

    async def notes(self) -> dict[str, str]:
        """Have no notes."""
        return {}

    async def delete(self) -> None:
        """Forget the fields."""
        self.fields = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A path of Vault as it is now: its fields by the secret fields of the connection that are kept there."""

    store: StoredPath = field(repr=False)
    version: int
    present: frozenset[str]
    wanted: Mapping[str, ResolvedRef]
    host: str | None
    others: tuple[str, ...]
    """Names of fields there that are not this connection's."""
    stored: Mapping[str, Any] = field(repr=False)


class Login:
    """The credentials of one connection, as one person or script replaces them. Opened, used, closed."""

    def __init__(
        self, project: Project, connection: Connection, session: Session, refs: Mapping[str, ResolvedRef]
    ) -> None:
        self.project = project
        self.connection = connection
        self.session = session
        self.refs = refs
        self.places: tuple[Place, ...] = ()
        self._given: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        project: Project,
        name: str,
        *,
        environ: Mapping[str, str],
        redactor: Any,
        warn: Any,
        user: str | None,
    ) -> "Login":
        """Make it; raises UsageError where the connection has nothing that can be stored in Vault."""
        connection = project.connections[name]
        require_user(project, [name], user)
        plan = Plan(workflow="", documents={}, inputs={}, environment=project.environment, user=user)
        done, wrong = resolved_refs(project, connection.auth_secrets, plan)
        if wrong:
            raise UsageError(f"{wrong[0][0].span}: {wrong[0][1].message}", help=wrong[0][1].help)
        refs = {each: ref for each, ref in done.items() if ref.scheme == "vault"}
        if not refs:
            what = "the environment" if done else "no secret"
            raise UsageError(
                f"the connection '{name}' takes its credentials from {what}: there is nothing to store in Vault, or to delete",
                help="secret fields of `auth` that are vault:// references can be stored",
            )
        for each, ref in refs.items():
            if ref.version is not None:
                place = connection.auth_secrets[each].span
                raise UsageError(
                    f"{place}: {connection.said(f'auth.{each}')} is pinned to version {ref.version}, and a login or logout is about the newest",
                    help="remove '?version=...' from the reference",
                )
        session = Session(
            project, plan, _workflow(project, connection), environ=environ, redactor=redactor, warn=warn
        )
        return cls(project, connection, session, refs)

    @property
    def host(self) -> str:
        """The host that the credentials are for."""
        return host_of(self.connection.base_url, self._shown)

    def _shown(self, tree: Tree) -> Any:
        return render(tree, {"environment": self.project.environment, "vars": dict(self.project.vars)})

    @property
    def consented(self) -> frozenset[str]:
        """The secret fields that a provider gives, once a person has consented."""
        return self.connection.auth_consented & self.refs.keys()

    @property
    def asked(self) -> tuple[str, ...]:
        """The secret fields to ask for: all, but with a consent only those of the client that are not stored yet."""
        names = [name for name in self.refs if name not in self.consented]
        if self.consented:
            present = {name for place in self.places for name in place.present}
            names = [name for name in names if name not in present]
        return tuple(names)

    @property
    def taken(self) -> tuple[str, ...]:
        """The secret fields that may be given: all but those that come from a consent, whether they are stored or not."""
        return tuple(name for name in self.refs if name not in self.consented)

    def take(self, names: Iterable[str]) -> None:
        """Be told which fields are given without being asked for."""
        self._given = frozenset(names)

    def word(self, name: str) -> str:
        """Name a secret field as the file does, under `auth`."""
        return self.connection.said(f"auth.{name}").removeprefix("auth.")

    async def open(self, *, writing: bool = True) -> None:
        """Read what is stored now, and prove as far as Vault tells that it may be replaced, else deleted; raises SecretsError."""
        by_path: dict[str, dict[str, ResolvedRef]] = {}
        for name, ref in self.refs.items():
            by_path.setdefault(ref.path, {})[name] = ref
        with self._placed():
            self.places = tuple([await self._place(wanted) for wanted in by_path.values()])
            for place in self.written if writing else self.ended:
                await (
                    place.store.check_writable(place.version) if writing else place.store.check_deletable()
                )

    async def _place(self, wanted: Mapping[str, ResolvedRef]) -> Place:
        store = self.session.store(self.connection.auth_secrets[next(iter(wanted))])
        assert store is not None
        fields, version = await store.read()
        for name, value in fields.items():
            # Notes of a run are no secrets.
            if isinstance(value, str) and (name not in RUN_FIELDS or name == "access_token"):
                self.session.redactor.add(value, f"{store.label}#{name}")
        return Place(
            store=store,
            version=version,
            present=frozenset(
                name
                for name, ref in wanted.items()
                if isinstance(fields.get(ref.field), str) and fields[ref.field]
            ),
            wanted=wanted,
            host=(await store.notes()).get(HOST_NOTE) if version else None,
            others=tuple(sorted(set(fields) - self._own(wanted))),
            stored=fields,
        )

    def _own(self, wanted: Mapping[str, ResolvedRef]) -> set[str]:
        """Name the fields of a path that are this connection's: those it refers to, and what runs keep beside them."""
        of_runs = wanted.keys() & (self.connection.auth_consented | self.connection.auth_written)
        return {ref.field for ref in wanted.values()} | (RUN_FIELDS if of_runs else set())

    @contextmanager
    def _placed(self) -> Iterator[None]:
        """Add the places of the references to what Vault says of a path."""
        try:
            yield
        except SecretsError as error:
            spans = {ref.path: self.connection.auth_secrets[name].span for name, ref in self.refs.items()}
            problems = tuple(
                each
                if each.spans or each.reference not in spans
                else replace(each, spans=(spans[each.reference],))
                for each in error.problems
            )
            raise SecretsError(error.message, help=error.help, problems=problems) from None

    @property
    def written(self) -> tuple[Place, ...]:
        """The places that will be written."""
        names = {*self.asked, *self.consented, *self._given}
        return tuple(place for place in self.places if names & place.wanted.keys())

    def strangers(self) -> tuple[Place, ...]:
        """Give the places whose credentials were given for another host."""
        return tuple(place for place in self.places if place.present and place.host not in (None, self.host))

    async def obtain(self, values: Mapping[str, str], person: Person, *, tested: bool = True) -> None:
        """Take the values that were asked for, and a consent where there is one; raises FailureError.

        Other secrets of the connection are read where something is sent: for a consent, and where it will be `tested`.
        """
        for place in self.places:
            for name, ref in place.wanted.items():
                given = values.get(name) or (
                    place.stored.get(ref.field)
                    if name in place.present and name not in self.consented
                    else None
                )
                if given:
                    self.session.give(ref, str(given))
        self._drafts = {place.store.label: Draft(place.store.label, place.stored) for place in self.places}
        for place in self.places:
            draft = self._drafts[place.store.label]
            for name, ref in place.wanted.items():
                if name in values:
                    stale = RUN_FIELDS if name in self.connection.auth_written else frozenset()
                    draft.fields = {key: item for key, item in draft.fields.items() if key not in stale}
                    draft.fields[ref.field] = values[name]
            self.session.draft(place.store.label, draft)
        if self.consented or (tested and self.connection.test is not None):
            await self.session.open(without=frozenset(self.refs[name] for name in self.consented))
        if self.consented:
            await self._consent(person)

    async def _consent(self, person: Person) -> None:
        module = registry.load("auth", self.connection.type)
        means = ConnectionMeans(self.session, self.connection)
        fields = self.session.auth_fields(self.connection)
        with fields_of(self.connection):
            name, made = await module.consent(self.connection.auth, fields, means, person)
        ref = self.refs[name]
        draft = self._drafts[ref.path]
        draft.fields = {key: item for key, item in draft.fields.items() if key not in RUN_FIELDS} | made
        self.session.give(ref, str(made[ref.field]))

    async def test(self) -> JsonObject:
        """Send the connection's test request with what was obtained; gives its result."""
        if self.connection.test is None:
            return {"connection": self.connection.name, "classification": UNTESTED}
        return await send_test(self.session, self.connection)

    async def store(self) -> AsyncIterator[str]:
        """Write what was obtained, path by path; gives a line for each that is done. Raises SecretsError."""
        with self._placed():
            for place in self.written:
                yield await self._stored(place)

    async def _stored(self, place: Place) -> str:
        fields = self._drafts[place.store.label].fields
        if place.version and fields == place.stored:
            version, told = place.version, f"{place.store.label} stays as it is, version {place.version}"
        else:
            written = await place.store.write(fields, place.version) or await self._over(place, fields)
            if written is None:
                raise SecretsError(
                    f"'{place.store.label}' was changed by somebody else meanwhile: nothing was written there",
                    help=f"look at it, then log in again: runner connections login {self.connection.name}",
                )
            version, told = written, f"{place.store.label} is stored as version {written}"
        notes = {HOST_NOTE: self.host, CONNECTION_NOTE: self.connection.name}
        try:
            known = await place.store.notes()
            few = bool(self.connection.auth_written & place.wanted.keys())
            if version != place.version or not notes.items() <= known.items():
                await place.store.describe({**known, **notes}, few_versions=few)
        except SecretsError as problem:
            told += f"; without a note of its host, which helps later logins ({problem.message})"
        return told

    async def _over(self, place: Place, fields: Mapping[str, Any]) -> int | None:
        """Write a consent over what a run or another login has stored meanwhile: it was given just now, and is lost else."""
        own = self._own(place.wanted)
        for _ in range(OVER if self.consented & place.wanted.keys() else 0):
            now, version = await place.store.read()
            kept = {name: item for name, item in now.items() if name not in own}
            written = await place.store.write(
                {**kept, **{name: item for name, item in fields.items() if name in own}}, version
            )
            if written is not None:
                return written
        return None

    async def revoke(self) -> bool:
        """End at the provider what is stored; False where there is no way to. Raises FailureError."""
        module = registry.load("auth", self.connection.type)
        if not hasattr(module, "revoke"):
            return False
        for place in self.places:
            self._check_origin(place)
            for name, ref in place.wanted.items():
                if name in place.present:
                    self.session.give(ref, str(place.stored[ref.field]))
        await self.session.open(without=frozenset(self.refs.values()))
        means = ConnectionMeans(self.session, self.connection)
        with fields_of(self.connection):
            ended: bool = await module.revoke(
                self.connection.auth, self.session.auth_fields(self.connection), means
            )
        return ended

    def _check_origin(self, place: Place) -> None:
        """Refuse to send tokens to another provider than the one that gave them."""
        given, url = place.stored.get("token_host"), self.connection.auth_urls.get("token_url")
        now = host_of(url, self._shown).strip().lower() if url is not None else None
        if given and now and given != now:
            message = f"the tokens in '{place.store.label}' are from {given}, and `token_url` names {now}"
            raise FailureError(
                Failure(kind=FailureKind.NOT_ALLOWED, message=message, span=self.connection.locate(("auth",)))
            )

    @property
    def ended(self) -> tuple[Place, ...]:
        """The places that a logout deletes: where a consent is stored, those of the consent only."""
        own = (self.connection.auth_consented | self.connection.auth_written) or self.refs.keys()
        return tuple(
            place for place in self.places if place.version and place.present and own & place.wanted.keys()
        )

    async def close(self) -> None:
        """Close connections and end the login to Vault."""
        await self.session.close()


def users_of(project: Project, place: Place, besides: str) -> Sequence[str]:
    """List the other connections and workflows that refer to a path as it is written in the files."""
    found = []
    owners: list[tuple[str, Mapping[str, SecretRef]]] = [
        (f"connection {name}", each.secrets) for name, each in project.connections.items()
    ]
    owners += [(f"workflow {name}", each.secrets) for name, each in project.workflows.items()]
    for owner, refs in owners:
        if owner != f"connection {besides}" and any(ref.path == place.store.label for ref in refs.values()):
            found.append(owner)
    return found


def _workflow(project: Project, connection: Connection) -> Workflow:
    """Make what the session is opened for: the connection's test, or nothing that is sent."""
    if connection.test is not None:
        return test_workflow(project, [connection.name])
    nothing = Action(
        id=connection.name, section="test", index=0, kind="set", config={}, connection=connection.name
    )
    return Workflow(name="connections login", document=connection.base_url.document, actions=(nothing,))
