"""What stands around names in templates."""

import pytest

from runner.document import parse
from runner.expression import Facts, facts
from runner.template import Mode, Template


def of(text: str) -> Facts:
    document, _ = parse("a: 1\n", "x.yaml")
    assert document is not None
    return facts(Template(text, Mode.VALUE, document, ("a",), frozenset(), "a"))


@pytest.mark.parametrize(
    ("text", "filters", "judged"),
    [
        ("{{ a.b }}", (), False),
        ("x {{ a.b }} y", (), False),
        ("{{ a.b | upper }}", ("upper",), False),
        ("{{ (a.b | upper).x | lower }}", ("upper", "lower"), False),
        ("{{ (a.b ~ 'x') | sha256 }}", ("sha256",), False),
        ("{{ 'x' | hmac_sha256(a.b) }}", ("hmac_sha256",), False),
        ("{{ a.b.strip() | trim }}", ("trim",), False),
        ("{% filter upper %}{{ a.b }}{% endfilter %}", ("upper",), False),
        ("{{ [a.b] | join }}", ("join",), False),
        ("{% for x in a.b %}{{ x }}{% endfor %}", (), False),
        ("{% set x = a.b %}{{ x | sha256 }}", (), False),
        ("{{ 'x'[a.b] | sha256 }}", (), False),
        ("{{ a.b == 1 }}", (), True),
        ("{{ not a.b }}", (), True),
        ("{{ a.b is defined }}", (), True),
        ("{{ 1 if a.b else 2 }}", (), True),
        ("{% if a.b %}1{% endif %}", (), True),
        ("{{ a.b or 1 }}", (), False),
        ("{{ a.b and 1 }}", (), False),
    ],
)
def test_filters_and_judgements(text: str, filters: tuple[str, ...], judged: bool) -> None:
    (use,) = of(text).uses
    assert (use.reference.text, use.filters, use.judged) == ("a.b", filters, judged)


@pytest.mark.parametrize(
    ("text", "beside", "conditions"),
    [
        ("{{ a.b if actions.x.status == 1 else 2 }}", {"x"}, 1),
        ("{{ 2 if actions.x.status == 1 else a.b }}", {"x"}, 0),
        ("{{ actions.x.status and actions.y.status and a.b }}", {"x", "y"}, 2),
        ("{{ actions.x.status or a.b }}", {"x"}, 0),
        ("{% if actions.x.status %}{{ a.b }}{% endif %}", {"x"}, 1),
        ("{% if actions.x.status %}{% elif actions.y %}{{ a.b }}{% endif %}", {"x", "y"}, 1),
        ("{% if actions.x.status %}{% endif %}{{ a.b }}", set(), 0),
        ("{{ a.b if actions else 1 }}", set(), 1),
    ],
)
def test_conditions_around(text: str, beside: set[str], conditions: int) -> None:
    use = next(each for each in of(text).uses if each.reference.root == "a")
    assert set(use.beside) == beside
    assert len(use.conditions) == conditions


def test_conjuncts_are_equal_however_they_are_written() -> None:
    assert of("{{ a.b }}").conjuncts == of("{{a['b']}}").conjuncts == of(" {{ (a.b) }} ").conjuncts
    assert of("{{ a.b and c > 1 }}").conjuncts == of("{{ c>1 and a.b }}").conjuncts
    assert of("{{ a.b }}").conjuncts < of("{{ a.b and c }}").conjuncts
    assert of("{{ a.b or c }}").conjuncts.isdisjoint(of("{{ a.b }}").conjuncts)
    assert of("{{ a.b }} x").conjuncts == of("{% if a.b %}{{ a.b }}{% endif %}").conjuncts == frozenset()


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("{{ a or 'x' }}", True),
        ("{{ a and b or 1 }}", True),
        ("{{ a and false }}", False),
        ("{{ not (a or true) }}", False),
        ("{{ a or '' }}", None),
        ("{{ a or 'false' }}", None),
        ("{{ a and 'x' }}", None),
        ("{{ a == 'x' }}", None),
        ("x {{ a or 1 }}", None),
    ],
)
def test_verdicts(text: str, verdict: bool | None) -> None:
    assert of(text).verdict is verdict


@pytest.mark.parametrize("text", ["plain", "{{ a", "{{ }}", "{% x %}", ""])
def test_templates_without_uses(text: str) -> None:
    assert of(text).uses == ()


def test_text_around() -> None:
    around = ["x", "x {{ a }}", "{{ a }} {{ b }}!", "{{ a | upper }} x", "{% if a %}{% endif %} x"]
    assert [of(text).text_around for text in around] == [True] * 5
    alone = ["", "{{ a }}", " {{ a | upper }} ", "{{ a }} {{ b }}", "{% if a %}x{% endif %}"]
    assert [of(text).text_around for text in alone] == [False] * 5


def test_operations_and_their_places() -> None:
    text = "{{ (a.b + -1.5) > c['d'] | int }}"
    found = [
        (each.operator, text[slice(*each.left.place)], each.right and text[slice(*each.right.place)])
        for each in of(text).operations
    ]
    assert ("+", "a.b", "-1.5") in found
    assert ("int", "c['d']", None) in found
