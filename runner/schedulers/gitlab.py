"""GitLab: a job for each trigger, and the commands that make the pipeline schedules, which are no files there.

https://docs.gitlab.com/ci/pipelines/schedules/
"""

import shlex
from collections.abc import Sequence

from runner.schedulers import Entry, Place, one_line, scalar

SUMMARY = "jobs of GitLab CI, and the commands that make their schedules"

_IMAGE = "python:3.12"
_VARIABLE = "RUNNER_TRIGGER"


def export(entries: Sequence[Entry], place: Place) -> dict[str, str]:
    """Give the jobs for .gitlab-ci.yml and a script of `glab`; a variable of the schedule chooses the job."""
    jobs = [line for entry in entries for line in (*_job(entry, place), "")]
    commands = [line for entry in entries for line in _schedule(entry)]
    return {
        "runner-schedules.gitlab-ci.yml": "\n".join(jobs),
        "runner-schedules.sh": "\n".join(["#!/bin/sh", "set -eu", *commands]) + "\n",
    }


def _job(entry: Entry, place: Place) -> list[str]:
    notes = []
    if entry.catch_up:
        notes.append("# GitLab starts nothing later that it missed: catch_up does not hold")
    if entry.overlap == "skip":
        notes.append("# GitLab has no skipping: what overlaps waits for the one that runs")
    chosen = f'$CI_PIPELINE_SOURCE == "schedule" && ${_VARIABLE} == "{entry.name}"'
    group = [] if entry.overlap == "allow" else [f"  resource_group: {scalar('runner-' + entry.name)}"]
    return [
        f"# {one_line(entry.description or entry.workflow)}",
        *notes,
        f"{scalar('runner-' + entry.name)}:",
        f"  image: {scalar(place.image or _IMAGE)}",
        f"  rules: [{{if: {scalar(chosen)}}}]",
        *group,
        "  script:",
        f"    - {scalar('pip install ' + place.package)}",
        f"    - {scalar(entry.command('runner'))}",
    ]


def _schedule(entry: Entry) -> list[str]:
    words = ["glab", "schedule", "create", "--cron", entry.cron.written(), "--cronTimeZone", entry.timezone]
    words += ["--description", one_line(entry.description or entry.workflow), "--ref", "main"]
    return [shlex.join([*words, "--variable", f"{_VARIABLE}:{entry.name}"])]
