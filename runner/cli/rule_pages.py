"""Pages of the rules that have no file in `runner/rules/`: those of reading files, and those that ask Vault.

A page is made as the docstring of a rule is: a sentence, prose, and where there can be any a bad and a good example.
"""

READING: dict[str, str] = {
    "action-kind": """An action has no kind, or more than one.

Each entry of `actions` does one thing: `request`, `set`, `wait` or `fail`. Two things are two actions.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
    set: {source: example}
outputs: {reports: "{{ actions.read.output }}"}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
  - id: about
    set: {source: example}
outputs: {reports: "{{ actions.read.output }}", source: "{{ actions.about.output.source }}"}
```
""",
    "alias-expansion": """Aliases make the file larger than 100,000 values, or stand inside themselves.

A few lines of anchors and aliases can stand for more data than a machine has memory. An alias stands for a value
that is complete where the alias is written, so it cannot stand inside of that value.

```bad
# workflows.d/report.yaml
x-query: &query {page: 1, more: *query}
actions:
  - id: read
    request: {url: https://example.com/reports}
```
```good
# workflows.d/report.yaml
x-query: &query {page: 1}
actions:
  - id: read
    request: {url: https://example.com/reports, query: *query}
```
""",
    "duplicate-key": """A key stands twice in one mapping.

YAML readers silently take one of the two, and not all the same one. Which one was meant only the author knows.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
type: none
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
""",
    "file-too-large": """A file is over 1 MiB.

Files of a project are written and reviewed by people. Data belongs into an input (`--input-file`) or behind an API.
""",
    "invalid-value": """A value is none of those that its key takes.

The type is right and the value is not: a method that does not exist, a number out of its range, a name with
characters that names do not have. The message says what the key takes.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
timeout: soon
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
timeout: 20s
```
""",
    "missing-key": """A required key is not there.

```bad
# connections.d/tickets.yaml
type: none
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
""",
    "not-text": """A file is not UTF-8 text.

It was saved in another encoding, or is no text at all. Nothing of it is shown.
""",
    "unknown-key": """A key does not exist, does not fit here, or belongs to a later version.

A misspelt key would otherwise do nothing, and nobody would notice. Keys that start with `x-` at the top level are
ignored: a home for anchors.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
timout: 20s
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
timeout: 20s
```
""",
    "unreadable-file": """A file or folder cannot be opened, ends in `.yml`, or is a symbolic link to a folder.

Files of a project end in `.yaml`. One that ends otherwise would be left out of every check and every run. So would all that
is in a folder which the user of the command may not read, or which a symbolic link leads to: links to folders are not followed.

```bad
# workflows.d/report.yml
actions:
  - id: read
    request: {url: https://example.com/reports}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
```
""",
    "unsupported-yaml": """A tag, a merge key, a second document, a key that is no text.

Files are YAML 1.2 without what makes a file mean more than it shows.

```bad
# connections.d/tickets.yaml
type: !kind none
base_url: https://tickets.example.com
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
""",
    "wrong-type": """A value has the wrong type.

Only `true`, `false`, `null` and JSON-like numbers are typed; everything else is text, also `no`, `on` and `1:30`. A
value that is one template has the type of what it gives, which is known when it runs.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
shared: yes
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
shared: true
```
""",
    "yaml-nesting": """A file is nested deeper than 100 levels.

No file that people write is. The bound keeps a hostile one from exhausting the machine.
""",
    "yaml-syntax": """A file is not YAML.

The message says what is wrong at the place where the reader gave up; the mistake is there or in a line above. The
most common ones: a template that is not quoted, a tab, a quote that is not closed, text that holds `: ` or ` #`.

```bad
# workflows.d/report.yaml
inputs: {name: {type: string}}
actions:
  - id: read
    request:
      url: https://example.com/reports
      query: {name: {{ inputs.name }}}
```
```good
# workflows.d/report.yaml
inputs: {name: {type: string}}
actions:
  - id: read
    request:
      url: https://example.com/reports
      query: {name: "{{ inputs.name }}"}
```
""",
}
"""By rule; what each key is follows from the schemas."""

VAULT: dict[str, str] = {
    "secret-field-missing": """The path exists in Vault and has no such field.

The message names the fields that it has. Found by `runner validate --vault` without reading a value.
""",
    "secret-not-found": """There is nothing in Vault at the path of a reference.

The mount does not exist, the path was never written, or the version was deleted.
""",
    "secret-not-readable": """The token may not read the path of a reference.

The message shows the line that the policy lacks; `runner vault-policy` prints the whole policy.
""",
    "secret-not-writable": """A run writes the path of a reference back, and may not, or cannot.

A refresh token that the provider replaces is written back by check-and-set, which takes the right to `update` the path
and KV version 2. The message shows the line that the policy lacks.
""",
    "secret-unproven": """What Vault tells is not enough to know whether a reference holds.

The token may not ask for the names of fields, or the engine makes credentials only when it is read. The run may
well succeed.
""",
    "secret-version-old": """A reference pins a version that is not the newest.

The secret was rotated after the reference was written. Where the old version is wanted, an ignore comment says why.
""",
}
"""Rules that only `runner validate --vault` applies."""

WARNINGS = frozenset({"secret-unproven", "secret-version-old"})
