"""Kubernetes: a CronJob for each trigger (https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/)."""

from collections.abc import Collection, Sequence
from itertools import chain, count

from runner.errors import UsageError
from runner.schedulers import Entry, Place, one_line, scalar

SUMMARY = "a CronJob for each trigger"

_GRACE = 330
"""Seconds: what is in flight gets 10, `on_failure` and `finally` 300."""

_POLICIES = {"skip": "Forbid", "allow": "Allow", "queue": "Forbid"}


def export(entries: Sequence[Entry], place: Place) -> dict[str, str]:
    """Give one file of CronJobs; the image holds `runner` and the project. Raises UsageError where none is named."""
    if place.image is None:
        raise UsageError("which image holds runner.d and the project?", help="name it with --image NAME")
    taken: list[str] = []
    for entry in entries:
        taken.append(_name(entry.name, taken))
    jobs = [_job(name, entry, place) for name, entry in zip(taken, entries, strict=True)]
    return {"runner-schedules.yaml": "---\n".join(jobs)}


def _job(name: str, entry: Entry, place: Place) -> str:
    notes = []
    if entry.overlap == "queue":
        notes.append("# Kubernetes has no queue: what overlaps is skipped")
    starting = [f"  startingDeadlineSeconds: {max(10, round(entry.catch_up))}"] if entry.catch_up else []
    words = ("-C", place.directory, *entry.arguments())
    return "\n".join(
        [
            f"# {one_line(entry.description or entry.workflow)}",
            *notes,
            "apiVersion: batch/v1",
            "kind: CronJob",
            f"metadata: {{name: {scalar(name)}}}",
            "spec:",
            f"  schedule: {scalar(entry.cron.written())}",
            f"  timeZone: {scalar(entry.timezone)}",
            f"  concurrencyPolicy: {_POLICIES[entry.overlap]}",
            *starting,
            "  jobTemplate:",
            "    spec:",
            "      backoffLimit: 0",
            "      template:",
            "        spec:",
            "          restartPolicy: Never",
            "          serviceAccountName: runner",
            f"          terminationGracePeriodSeconds: {_GRACE}",
            "          containers:",
            "            - name: runner",
            f"              image: {scalar(place.image or '')}",
            '              command: ["runner"]',
            # Kubernetes puts variables in place of $(NAME).
            f"              args: [{', '.join(scalar(word.replace('$(', '$$(')) for word in words)}]",
            "",
        ]
    )


def _name(text: str, taken: Collection[str]) -> str:
    """Make a name that Kubernetes takes (RFC 1123, and 52 characters for a CronJob), and that no other job has."""
    lowered = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    endings = chain([""], (f"-{number}" for number in count(2)))
    names = (f"runner-{lowered}"[: 52 - len(end)].rstrip("-") + end for end in endings)
    return next(name for name in names if name not in taken)
