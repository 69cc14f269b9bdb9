"""`runner validate --vault`: what Vault says of the references that the checks found in the files."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.cli import checked
from runner.cli.output import Output
from runner.diagnostics import Diagnostic, Severity
from runner.project import Project
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.secrets.vault.proof import Asker

RULES = (
    "secret-field-missing",
    "secret-not-found",
    "secret-not-readable",
    "secret-not-writable",
    "secret-unproven",
    "secret-version-old",
)
"""Rules that only `--vault` applies."""


def added(
    project: Project, found: Sequence[Diagnostic], paths: Sequence[str], settings: Settings, output: Output
) -> list[Diagnostic]:
    """Add to the diagnostics of the files what Vault says; with errors in the files nobody is asked."""
    from runner import vault_policy

    user = checked.user(project, settings)
    if any(item.severity is Severity.ERROR for item in found):
        output.say("note: Vault was not asked: the project has errors")
        return list(found)
    import asyncio

    from runner.secret_ref import MalformedReferenceError, ResolvedRef, SecretRef
    from runner.secrets.vault.proof import prove
    from runner.source import Span

    places: dict[ResolvedRef, list[Span]] = {}
    written: set[ResolvedRef] = set()
    unfilled: list[tuple[SecretRef, MalformedReferenceError]] = []
    for use in vault_policy.uses(project):
        ref = use.ref
        if paths and not _among(ref.span.path, paths):
            continue
        try:
            resolved = ref.resolve(user=user, environment=project.environment, variables=project.vars)
        except MalformedReferenceError as problem:
            unfilled.append((ref, problem))
        else:
            places.setdefault(resolved, []).append(ref.span)
            if use.written:
                written.add(resolved)
    if places:
        output.progress(f"asking Vault for {len(places)} secret{'s' if len(places) > 1 else ''} ...")
    proof = asyncio.run(prove(asker(project, settings, output), places, unfilled, written))
    for note in proof.notes:
        output.say(f"note: {note}")
    for detail in proof.details:
        output.detail(detail)
    return sorted({*found, *proof.diagnostics}, key=lambda item: item.sort_key)


def _among(file: str, paths: Sequence[str]) -> bool:
    return any(path in (".", file) or file.startswith(f"{path.rstrip('/')}/") for path in paths)


def asker(project: Project, settings: Settings, output: Output) -> "Asker":
    """Say how Vault is reached: with the settings and the login of a run."""
    from runner.cli import logs
    from runner.reports.text.style import one_line
    from runner.secrets.vault.proof import Asker

    logs.install(output)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    return Asker(
        config=project.vault,
        environ=settings.environ,
        warn=lambda text: output.say(f"warning: {one_line(text)}"),
        register=output.redactor.add,
        directory=project.root,
    )
