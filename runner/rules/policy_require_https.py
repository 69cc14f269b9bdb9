"""A URL is plain http, and the policy requires https.

With `policy.require_https: true` no request is plain http, not even to this machine, whatever `allow_http` of a
connection says. No comment silences this: the policy is for whoever owns runner.yaml to relax.

```bad
# runner.yaml
policy: {require_https: true}
# connections.d/tickets.yaml
type: none
base_url: http://localhost:8080
```
```good
# runner.yaml
policy: {require_https: true}
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.rules import filled
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a URL is plain http, and the policy requires https"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the scheme of every base URL, of the URLs of auth types, and of requests without a connection."""
    if not project.policy.require_https:
        return
    for connection in project.connections.values():
        for url in connection.urls.values():
            yield from _url(project, url)
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.url is not None:
                yield from _url(project, action.config.url)


def _url(project: Project, url: Template) -> Iterator[Diagnostic]:
    if filled(project, url).strip().lower().startswith("http://"):
        message = "the policy requires https, and this is plain http"
        yield error("policy-require-https", message, url.span, help="write https://")
