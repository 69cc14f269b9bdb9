"""A connection accepts any TLS certificate.

With `verify: false` whoever stands between this machine and the API can read and change everything, credentials
included. Give the certificate authority of the server with `tls.ca` instead.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
tls: {verify: false}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
tls: {ca: ca.pem}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "a connection accepts any TLS certificate"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check `tls.verify` of every connection."""
    for connection in project.connections.values():
        if not connection.tls.verify:
            yield warning(
                "tls-not-verified",
                f"the connection '{connection.name}' accepts any certificate",
                connection.locate(("tls", "verify")),
                help="remove `verify: false` and name the certificate authority with `tls.ca`",
            )
