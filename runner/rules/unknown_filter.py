"""A template uses a filter or a test that does not exist.

`{{ value | name }}` calls a filter, `{{ value is name }}` a test. There are Jinja's own, and `to_json`, `from_json`,
`jmespath`, `regex_search`, `regex_replace`, `b64encode`, `b64decode`, `sha256`, `hmac_sha256`, `url_quote`,
`to_datetime`, `format_datetime` and `shift`. Filters of other tools (`b64enc`, `from_yaml`, `urlencode_all`) have other names here or are missing.

```bad
# workflows.d/hello.yaml
inputs:
  name: {type: string}
actions:
  - id: hello
    set: {text: "{{ inputs.name | uper }}"}
```
```good
# workflows.d/hello.yaml
inputs:
  name: {type: string}
actions:
  - id: hello
    set: {text: "{{ inputs.name | upper }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.rules import every_template

SEVERITY = Severity.ERROR
SUMMARY = "a template uses a filter or a test that does not exist"


def check(project: Project) -> Iterator[Diagnostic]:
    """Report the unknown names that reading each template found."""
    for template, _ in every_template(project):
        for fault in template.faults:
            if fault.rule == "unknown-filter":
                yield error(
                    fault.rule, fault.message, template.place(fault.start, fault.end), help=fault.help
                )
