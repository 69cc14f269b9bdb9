"""Mermaid: a workflow as a graph, for a page of GitHub or GitLab (https://mermaid.js.org/syntax/flowchart.html).

- `workflow(shown)`: what waits for what, and which workflows are called (`runner workflows show`).
"""

from runner.errors import JsonObject

_SECTIONS = ("actions", "on_failure", "finally")
_LONGEST = 60


def workflow(shown: JsonObject) -> str:
    """Give a described workflow, and below it those that it calls, as a flowchart."""
    lines = ["flowchart TD"]
    graphs = [shown, *shown["called"]]
    numbers = {graph["name"]: number for number, graph in enumerate(graphs)}
    for number, graph in enumerate(graphs):
        lines += _graph(number, graph)
    for number, graph in enumerate(graphs):
        lines += [
            f"  {_node(number, action['id'])} -. calls .-> w{numbers[action['calls']]}"
            for action in graph["actions"]
            if action["calls"] in numbers
        ]
    return "\n".join(lines) + "\n"


def _graph(number: int, graph: JsonObject) -> list[str]:
    lines = [f"  subgraph w{number}[{_label(graph['name'])}]"]
    listed = {name: [each for each in graph["actions"] if each["section"] == name] for name in _SECTIONS}
    there = [name for name in _SECTIONS if listed[name]]
    for name in there:
        inside = _list(number, listed[name])
        if len(there) > 1:
            inside = [f"subgraph w{number}_{name}[{_label(name)}]", *(f"  {line}" for line in inside), "end"]
        lines += [f"    {line}" for line in inside]
    edges = {("actions", "on_failure"): " -- failed --> ", ("actions", "finally"): " --> "}
    edges["on_failure", "finally"] = " --> "
    lines += [
        f"    w{number}_{one}{arrow}w{number}_{other}"
        for (one, other), arrow in edges.items()
        if one in there and other in there
    ]
    return [*lines, "  end"]


def _list(number: int, actions: list[JsonObject]) -> list[str]:
    lines = [f"{_node(number, action['id'])}[{_text(action)}]" for action in actions]
    for action in actions:
        node = _node(number, action["id"])
        lines += [f"{_node(number, before)} --> {node}" for before in action["after"]]
    return lines


def _node(number: int, name: str) -> str:
    return f"w{number}_a_{name}"


def _text(action: JsonObject) -> str:
    notes = [action["kind"]]
    if action["connection"]:
        notes.append(f"through {action['connection']}")
    if action["calls"]:
        notes = [f"workflow {action['calls']}"]
    notes += [name for name in ("for_each", "repeat") if action[name]]
    notes += ["if"] if action["conditional"] else []
    return _label(action["id"], ", ".join(notes))


def _label(*lines: str) -> str:
    """Write a label; whatever Mermaid or HTML could read as their own is written as the code of its character."""
    return '"' + "<br>".join(map(_escaped, lines)) + '"'


def _escaped(text: str) -> str:
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return "".join(char if char.isalnum() or char in " _-./:,…" else f"#{ord(char)};" for char in short)
