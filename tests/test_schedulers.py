"""The entries for the schedulers that people have, read back as those schedulers read them."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner import cron, registry
from runner.errors import UsageError
from runner.exact_json import loads
from runner.schedulers import Entry, Place
from tests.rules.projects import write
from tests.test_hooks import lint

RUNNER = Path(sys.executable).with_name("runner")
ANALYZE = Path("/usr/bin/systemd-analyze")
NASTY = 'it\'s 100% "$HOME" ${{ secrets.X }} $(id) `id` \\ %h'
DESCRIPTION = "Idle tickets\n* * * * * evil ${{ secrets.X }}"
FILES = {
    "runner.yaml": "environments:\n  staging: {}\n",
    "workflows.d/eu/a b.yaml": f"""\
description: {json.dumps(DESCRIPTION)}
triggers:
  - schedule: "*/30 7 * * mon-fri"
    timezone: Europe/Berlin
    catch_up: 1h
    environment: staging
    inputs: {{text: {json.dumps(NASTY)}, list: [1, "a b"]}}
  - {{schedule: "0 7 1 * 1", overlap: allow}}
  - {{schedule: "0 8 * * *", overlap: queue}}
inputs:
  text: {{type: string, default: x}}
  list: {{type: array, default: []}}
actions:
  - {{id: a, set: {{t: "{{{{ inputs.text }}}}", l: "{{{{ inputs.list }}}}"}}}}
outputs: {{o: "{{{{ actions.a.output }}}}"}}
""",
    "workflows.d/none.yaml": "actions:\n  - {id: a, wait: 1s}\n",
}
GIVEN = ["run", "eu/a b", "--env", "staging", "-i", f"text={NASTY}", "-i", 'list=[1, "a b"]']


def runner(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [RUNNER, *words], cwd=root, capture_output=True, encoding="utf-8", timeout=60, check=False
    )


def exported(root: Path, scheduler: str, *words: str) -> dict[str, str]:
    """Write the files of a scheduler into a folder and give their texts by name."""
    write(root, FILES)
    done = runner(root, "schedules", "export", scheduler, "--output", "out", *words)
    assert done.returncode == 0, done.stderr
    found = [path for path in (root / "out").rglob("*") if path.is_file()]
    return {path.relative_to(root / "out").as_posix(): path.read_text() for path in found}


def test_cron_starts_the_command_that_is_meant(tmp_path: Path) -> None:
    """cron cuts at a % that is not escaped, takes the backslash away, and gives the rest to sh."""
    (text,) = exported(tmp_path, "cron", "--program", "/opt/my runner").values()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert not any("evil" in line for line in lines)
    assert [line for line in lines if line.startswith("CRON_TZ")] == ["CRON_TZ=Europe/Berlin", "CRON_TZ=UTC"]
    jobs = [line for line in lines if not line.startswith("CRON_TZ")]
    assert [" ".join(line.split()[:5]) for line in jobs] == ["0,30 7 * * 1-5", "0 7 1 * 1", "0 8 * * *"]
    for job in jobs:
        assert not any(job[at - 1] != "\\" for at, char in enumerate(job) if char == "%")
    words = shlex.split(jobs[0].split(maxsplit=5)[5].replace("\\%", "%"))
    assert words[:3] == ["flock", "-n", "/run/lock/runner-eu-a-b.lock"]
    assert words[3:] == ["/opt/my runner", "-q", "-C", str(tmp_path), *GIVEN, ">", "/dev/null"]
    assert "flock" not in jobs[1]
    assert shlex.split(jobs[2].split(maxsplit=5)[5])[:2] == ["flock", "/run/lock/runner-eu-a-b-3.lock"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    files = exported(tmp_path, "systemd", "--program", "/bin/true", "--directory", "/")
    assert sorted(files) == sorted(
        f"runner-eu-a-b{n}.{kind}" for n in ("", "-2", "-3") for kind in ("service", "timer")
    )
    first = files["runner-eu-a-b.timer"]
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 07:00,30:00 Europe/Berlin\n" in first
    assert "Persistent=true" in first
    assert files["runner-eu-a-b-2.timer"].count("OnCalendar=") == 2
    assert "Persistent" not in files["runner-eu-a-b-2.timer"]
    service = files["runner-eu-a-b.service"]
    assert "evil" not in "".join(line for line in service.splitlines() if not line.startswith("Description"))
    assert '"text=it\'s 100%% \\"$$HOME\\" $${{ secrets.X }} $$(id) `id` \\\\ %%h"' in service
    if ANALYZE.exists():
        units = [tmp_path / "out" / name for name in files]
        done = subprocess.run([ANALYZE, "verify", *units], capture_output=True, timeout=60, check=False)
        assert b"runner-" not in done.stderr, done.stderr


def test_github_takes_the_workflows(tmp_path: Path) -> None:
    files = exported(tmp_path, "github")
    assert sorted(files) == [f".github/workflows/runner-eu-a-b{n}.yaml" for n in ("-2", "-3", "")]
    made: Any = yaml.load(files[".github/workflows/runner-eu-a-b.yaml"], yaml.BaseLoader)
    assert made["on"]["schedule"] == [{"cron": "0,30 7 * * 1-5", "timezone": "Europe/Berlin"}]
    assert made["concurrency"] == {"group": "runner-eu-a-b"}
    command = made["jobs"]["run"]["steps"][-1]["run"].replace("${{ '${{' }}", "${{")
    assert shlex.split(command) == ["runner", *GIVEN]
    for text in files.values():
        outside = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
        assert outside.replace("${{ '${{' }} secrets.X }}", "").count("${{") == 0
    for path in sorted((tmp_path / "out").rglob("*.yaml")):
        plain = path.with_suffix(".yml")  # the schema that the linter carries is older than `timezone`
        plain.write_text(
            "".join(line for line in path.read_text().splitlines(keepends=True) if "timezone" not in line)
        )
        assert lint("vendor.github-workflows", plain) == ""


def test_gitlab_takes_the_jobs_and_the_script_makes_the_schedules(tmp_path: Path) -> None:
    files = exported(tmp_path, "gitlab")
    made = yaml.safe_load(files["runner-schedules.gitlab-ci.yml"])
    assert sorted(made) == ["runner-eu-a-b", "runner-eu-a-b-2", "runner-eu-a-b-3"]
    assert shlex.split(made["runner-eu-a-b"]["script"][-1]) == ["runner", *GIVEN]
    assert "resource_group" not in made["runner-eu-a-b-2"]
    assert lint("vendor.gitlab-ci", tmp_path / "out" / "runner-schedules.gitlab-ci.yml") == ""
    # The script is run with a `glab` that keeps what it is told.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "glab").write_text('#!/bin/sh\nfor word; do printf "%s\\n" "$word"; done >> "$0.log"\n')
    (tools / "glab").chmod(0o755)
    script = tmp_path / "out" / "runner-schedules.sh"
    done = subprocess.run([script], env={"PATH": f"{tools}:/usr/bin:/bin"}, timeout=30, check=False)
    assert done.returncode == 0
    told = (tools / "glab.log").read_text().splitlines()
    assert told.count("create") == 3
    assert told[told.index("--cron") + 1] == "0,30 7 * * 1-5"
    assert told[told.index("--variable") + 1] == "RUNNER_TRIGGER:eu-a-b"


def test_kubernetes_takes_the_cron_jobs(tmp_path: Path) -> None:
    (text,) = exported(tmp_path, "kubernetes", "--image", "automation:1", "--directory", "/app").values()
    jobs = list(yaml.safe_load_all(text))
    assert [job["metadata"]["name"] for job in jobs] == [
        "runner-eu-a-b",
        "runner-eu-a-b-2",
        "runner-eu-a-b-3",
    ]
    assert [job["spec"]["concurrencyPolicy"] for job in jobs] == ["Forbid", "Allow", "Forbid"]
    assert jobs[0]["spec"]["timeZone"] == "Europe/Berlin"
    assert jobs[0]["spec"]["startingDeadlineSeconds"] == 3600
    assert "startingDeadlineSeconds" not in jobs[1]["spec"]
    (container,) = jobs[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert [word.replace("$$(", "$(") for word in container["args"]] == ["-C", "/app", *GIVEN]


def test_what_export_refuses(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    for words, message in (
        (("kubernetes",), "--image NAME"),
        (("airflow",), "'airflow' is not one of"),
        (("cron", "none"), "'none' has no triggers"),
        (("cron", "nope"), "no workflow 'nope'"),
    ):
        done = runner(tmp_path, "schedules", "export", *words)
        assert done.returncode == 2, done
        assert message in done.stderr
        assert done.stdout == ""
    exported(tmp_path, "gitlab")
    again = runner(tmp_path, "schedules", "export", "gitlab", "--output", "out")
    assert (again.returncode, "exists" in again.stderr) == (2, True)


PLACE = Place(program="runner", directory="/app", image="x", package="runner.d")


def entry(name: str, **inputs: Any) -> Entry:
    return Entry(
        name=name,
        workflow=name,
        cron=cron.parse("0 7 * * *"),
        timezone="UTC",
        overlap="allow",
        catch_up=0.0,
        inputs=inputs,
    )


def test_a_crontab_holds_no_line_break() -> None:
    export = registry.load("schedulers", "cron").export
    for text in ("a\n* * * * * evil", "a\rb"):
        with pytest.raises(UsageError, match="the workflow 'w' gives an input with a line break"):
            export([entry("w", text=text)], PLACE)


def test_a_number_keeps_its_text() -> None:
    assert entry("w", n=loads("1.10"), big=loads("[1E400]")).arguments() == (
        "run",
        "w",
        "-i",
        "n=1.10",
        "-i",
        "big=[1E400]",
    )


def test_each_cron_job_of_kubernetes_has_a_name_of_its_own() -> None:
    given = [
        "a-b",
        "a_b",
        "A.b",
        "x" * 60,
        "x" * 61,
        "x" * 62,
        *(f"{'y' * 60}{number}" for number in range(12)),
    ]
    (text,) = (
        registry.load("schedulers", "kubernetes").export([entry(name) for name in given], PLACE).values()
    )
    names = [job["metadata"]["name"] for job in yaml.safe_load_all(text)]
    assert names[:3] == ["runner-a-b", "runner-a-b-2", "runner-a-b-3"]
    assert len(set(names)) == len(given)
    assert all(len(name) <= 52 for name in names)


def test_a_project_with_errors_is_not_exported(tmp_path: Path) -> None:
    write(
        tmp_path,
        {**FILES, "workflows.d/x.yaml": "triggers: [{schedule: never}]\nactions: [{id: a, wait: 1s}]\n"},
    )
    done = runner(tmp_path, "schedules", "export", "cron")
    assert (done.returncode, done.stdout) == (3, "")
    assert "workflows.d/x.yaml:1:23" in done.stderr


def test_the_list(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    shown = json.loads(runner(tmp_path, "schedules", "--format", "json").stdout)
    assert shown["format"] == "runner.d/schedules/1"
    assert [row["overlap"] for row in shown["schedules"]] == ["skip", "allow", "queue"]
    assert shown["schedules"][0]["inputs"] == {"text": NASTY, "list": [1, "a b"]}
    assert runner(tmp_path, "schedules").stdout.splitlines()[1].split()[:3] == ["eu/a", "b", "*/30"]


def test_every_scheduler_says_what_it_is() -> None:
    assert registry.names("schedulers") == ("cron", "github", "gitlab", "kubernetes", "systemd")
    for name in registry.names("schedulers"):
        assert registry.load("schedulers", name).SUMMARY
