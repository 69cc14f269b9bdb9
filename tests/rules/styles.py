"""One template in every style that YAML has for text, as the value of `text` in a `set` action."""

STYLES = {
    "plain": "text: see {T} now",
    "plain over lines": "text: see\n        {T}\n        now",
    "single quoted": "text: 'it''s {T} now'",
    "double quoted": r'text: "\u00e9 \"quoted\"\t{T} now"',
    "double quoted over lines": 'text: "see \\\n        {T}\n        now"',
    "literal block": "text: |\n        first line\n        see {T} now",
    "literal block, indented": "text: |2-\n          see\n            {T} now",
    "folded block": "text: >-\n        first line\n\n        see\n        {T}\n        now",
    "flow mapping": 'text: {inner: [1, "see {T} now"]}',
    "tag of text": 'text: !!str "see {T} now"',
    "wide characters before": 'text: "日本 😀 {T} now"',
}


def action(style: str, template: str, *, id: str = "shown") -> str:
    """Write a `set` action, indented as an item of a list of actions."""
    if style == "single quoted":
        template = template.replace("'", "''")
    return f"  - id: {id}\n    set:\n      {STYLES[style].replace('{T}', template)}\n"
