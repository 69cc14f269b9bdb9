"""What is dangerous in a changed runner.yaml, in every environment: its policy, its limits, its Vault."""

from collections.abc import Iterator
from typing import Any

from runner.compare import amounts
from runner.compare.danger import danger
from runner.compare.pairs import Both
from runner.compare.tree import MISSING, canonical, dig, listed, mapping, same
from runner.errors import JsonObject
from runner.project import SETTINGS

_SHORTER = frozenset({"hosts"})
_LONGER = frozenset({"deny_methods"})
_TRUE = frozenset({"require_https", "require_shared"})


def dangers(both: Both) -> Iterator[JsonObject]:
    """List what is dangerous; of an environment only what does not hold without one as well."""
    if not both.settings_changed():
        return
    plain: list[JsonObject] = []
    for environment in both.environments():
        old = both.old_environment(environment)
        pairs = {
            key: (both.old.settings_in(old, key), both.new.settings_in(environment, key))
            for key in ("policy", "vault", "limits")
        }
        for item in [*_policy(*pairs["policy"]), *_vault(*pairs["vault"]), *_limits(*pairs["limits"])]:
            if environment is None:
                plain.append(item)
                yield item
            elif item not in plain:
                yield {**item, "environment": environment}


def _policy(before: dict[str, Any], after: dict[str, Any]) -> Iterator[JsonObject]:
    for clause in sorted(before):
        old, new = before[clause], dig(after, clause)
        if same(old, new) or _tighter(clause, old, new):
            continue
        message = f"policy.{clause} is gone" if new is MISSING else f"policy.{clause} is another"
        yield danger("policy", message, SETTINGS, before=old, after=new)


def _tighter(clause: str, before: Any, after: Any) -> bool:
    """Tell whether a clause surely permits nothing new; False for clauses that are not known here."""
    if after is MISSING:
        return False
    old, new = set(map(canonical, listed(before))), set(map(canonical, listed(after)))
    if clause in _SHORTER:
        return isinstance(after, list) and new <= old
    if clause in _LONGER:
        return new >= old
    if clause in _TRUE:
        return after is True
    if clause == "max_attempts":
        return not amounts.higher(before, after)
    if clause == "secrets":
        # Of a connection, every pattern that fits permits, so each must have been there before.
        return isinstance(after, dict) and all(
            _tighter("hosts", mapping(before).get(name), patterns) for name, patterns in after.items()
        )
    return False


def _vault(before: dict[str, Any], after: dict[str, Any]) -> Iterator[JsonObject]:
    for key in sorted({*before, *after}):
        if not same(dig(before, key), dig(after, key)):
            yield danger("vault", f"vault.{key}", SETTINGS, before=dig(before, key), after=dig(after, key))


def _limits(before: dict[str, Any], after: dict[str, Any]) -> Iterator[JsonObject]:
    yield from amounts.raised({"limits": before}, {"limits": after}, amounts.LIMITS, SETTINGS)
