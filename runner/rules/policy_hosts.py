"""A request would go to a host that the policy does not list.

`policy.hosts` in runner.yaml lists the hosts that requests may reach. Where the files say the host, this rule finds it
in review; every request, redirects included, is refused at run time before a byte of it is sent.

`*.example.com` stands for every host below `example.com`, not for `example.com` itself. A pattern without a port
permits every port. No comment silences this: the policy is for whoever owns runner.yaml to relax.

```bad
# runner.yaml
policy: {hosts: ["*.example.com"]}
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.net
```
```good
# runner.yaml
policy: {hosts: ["*.example.com"]}
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
"""

from collections.abc import Iterator

from runner import flow
from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a request would go to a host that the policy does not list"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the host of every base URL, of the URLs of auth types, and of requests without a connection."""
    if project.policy.hosts is None:
        return
    for connection in project.connections.values():
        for url in connection.urls.values():
            yield from _url(project, url)
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.url is not None:
                yield from _url(project, action.config.url)


def _url(project: Project, url: Template) -> Iterator[Diagnostic]:
    known = flow.address(project, url)
    if known is None:
        return
    _, host, port = known
    if not project.policy.permits_host(f"{host}:{port}"):
        listed = ", ".join(project.policy.hosts or ()) or "none"
        yield error(
            "policy-hosts",
            f"the policy does not permit requests to '{host}'",
            url.span,
            help=f"`policy.hosts` in runner.yaml permits: {listed}",
        )
