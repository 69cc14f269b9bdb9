"""The least Vault policy for what the files of a project name: one rule for each path, and who needs it.

Policies are HCL: https://developer.hashicorp.com/vault/docs/concepts/policies. A rule's path is an API path: of KV
version 2 it has `data/` after the mount. `+` stands for one whole segment, `*` at the end for anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner import calls
from runner.errors import UsageError
from runner.frozen import dataclass
from runner.model import Workflow
from runner.project import SETTINGS, Project
from runner.secret_ref import MalformedReferenceError, ResolvedRef, SecretRef

KV2 = "kv2"
ANY_USER = "any-user-7c0f2b"
"""Fills `{{ user }}` where no user is named, to find the segments in which it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A Vault reference of the project, and what needs it: `owner` ("connection tickets"), `field` ("auth.token").

    `written`: what a run gets for it is written back.
    """

    owner: str
    field: str
    ref: SecretRef
    written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One path of the policy with the names of those who need it, and remarks about the path."""

    path: str
    needed: tuple[str, ...]
    capabilities: tuple[str, ...] = ("read",)
    remarks: tuple[str, ...] = ()


def uses(project: Project, workflows: Sequence[Workflow] | None = None) -> list[Use]:
    """List what workflows and their connections name in Vault; without workflows, what the whole project names."""
    if workflows is None:
        workflows = list(project.workflows.values())
        names: Iterable[str] = project.connections
    else:
        every = {each.name: each for workflow in workflows for each in calls.reached(project, workflow)}
        workflows = list(every.values())
        names = dict.fromkeys(name for workflow in workflows for name in workflow.connections)
    found = [
        Use(
            owner=f"connection {name}",
            field=where,
            ref=ref,
            written=where.removeprefix("auth.") in project.connections[name].auth_written,
        )
        for name in names
        if name in project.connections
        for where, ref in project.connections[name].secrets.items()
    ]
    found += [
        Use(owner=f"workflow {workflow.name}", field=f"secrets.{name}", ref=ref)
        for workflow in workflows
        for name, ref in workflow.secrets.items()
    ]
    vault = (use for use in found if use.ref.scheme == "vault")
    return sorted(vault, key=lambda use: (use.owner, use.field, use.ref.text))


def paths(project: Project, needed: Sequence[Use], user: str | None) -> dict[str, list[Use]]:
    """Give the paths that are read, `+` where any user's may be, and who reads them.

    Raises UsageError where a placeholder other than `{{ user }}` has no value: its wildcard would be no least policy.
    """
    found: dict[str, list[Use]] = {}
    for use in needed:
        path = _resolved(project, use, user).path
        wild = "/".join("+" if ANY_USER in part else part for part in path.split("/"))
        found.setdefault(wild, []).append(use)
    return found


def _resolved(project: Project, use: Use, user: str | None) -> ResolvedRef:
    try:
        return use.ref.resolve(user=user or ANY_USER, environment=project.environment, variables=project.vars)
    except MalformedReferenceError as problem:
        hint = problem.help
        if project.environment is None and project.environments:
            hint = f"choose one with --env: {', '.join(project.environments)}"
        message = f"{use.ref.span}: the path of '{use.ref.text}' is not known: {problem.message}"
        raise UsageError(message, help=hint) from None


def policy_text(
    project: Project,
    needed: Sequence[Use],
    *,
    title: str,
    user: str | None = None,
    mounts: Mapping[str, str] | None = None,
) -> str:
    """Write the policy. `mounts` are the kinds of engines by mount as the server told; without, as runner.yaml says."""
    kinds = dict(project.vault.get("mounts", {})) if mounts is None else dict(mounts)
    kinds = {name.strip("/"): kind for name, kind in kinds.items()}
    rules, guessed = [], set()
    for path, users in paths(project, needed, user).items():
        mount = _mount(path, kinds)
        if mount not in kinds:
            guessed.add(mount)
        api_path = path
        if kinds.get(mount, KV2) == KV2:
            api_path = f"{mount}/data/{path.removeprefix(f'{mount}/')}"
        names = dict.fromkeys(f"{use.owner}: {use.field}" for use in users)
        written = any(use.written for use in users)
        rules.append(
            Rule(
                path=api_path,
                needed=tuple(names),
                capabilities=("read", "update") if written else ("read",),
                remarks=tuple(_remarks(path, users, user)),
            )
        )
    lines = [*_header(title, project.environment, user, sorted(guessed), empty=not rules)]
    for rule in sorted(rules, key=lambda rule: rule.path):
        lines += ["", *(_comment(text) for text in (*rule.needed, *rule.remarks))]
        listed = ", ".join(_quoted(each) for each in rule.capabilities)
        lines += [f"path {_quoted(rule.path)} {{", f"  capabilities = [{listed}]", "}"]
    return "\n".join(lines) + "\n"


def _mount(path: str, kinds: Mapping[str, str]) -> str:
    for name in sorted(kinds, key=len, reverse=True):
        if path.startswith(f"{name}/"):
            return name
    return path.partition("/")[0]


def _remarks(path: str, users: Sequence[Use], user: str | None) -> Iterator[str]:
    personal = user is None and any(use.ref.personal for use in users)
    if personal:
        yield "+ stands for any user: this token can read what belongs to all of them; --as USER names one"
    if any(use.written for use in users):
        yield "update: the provider replaces the refresh token, and the new one is written back"
    literal = path.endswith("*") or (not personal and "+" in path.split("/"))
    if literal:
        yield "Vault has no escape for this: its + or * matches other paths, too"


def _header(
    title: str, environment: str | None, user: str | None, guessed: Sequence[str], *, empty: bool
) -> Iterator[str]:
    chosen = [f"environment {environment}"] if environment else []
    chosen += [f"user {user}"] if user else []
    yield _comment(f"The least Vault policy for {title}" + (f" ({', '.join(chosen)})" if chosen else ""))
    if empty:
        yield _comment("No reference to Vault: nothing is needed.")
        return
    yield "#"
    yield "# A run needs beside this only what Vault's default policy allows, which a token has unless its role says"
    yield "# otherwise: update auth/token/renew-self, auth/token/revoke-self and sys/leases/renew, read"
    yield "# auth/token/lookup-self. To ask which engine is at a mount needs no rule (sys/internal/ui/mounts)."
    for mount in guessed:
        yield "#"
        yield _comment(
            f"Taken for KV version 2, since nothing says what it is: {mount}/. With vault.mounts in {SETTINGS}, or --vault, it is known."
        )


def _comment(text: str) -> str:
    """Write a comment: names of files may hold line breaks, after which they would be policy."""
    return "# " + "".join(char if char.isprintable() else _escape(char) for char in text)


def _quoted(path: str) -> str:
    """Write an HCL string. `${` would begin an interpolation."""
    text = path.replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\u0024{")
    return '"' + "".join(char if char.isprintable() else _escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
