"""`repeat`: until it is done, or as often as it may."""

from pathlib import Path
from typing import Any

from runner.result import Status
from runner.scope import RunStoppedError
from tests.interpreter.script import Interpreted, failed, interpret, ok, step


def polled(tmp_path: Path, done_at: int, **answers: Any) -> Interpreted:
    poll = step("poll", repeat={"until": "{{ response.body.ready }}", "every": "5s", "at_most": 3})
    given = {f"poll#{number}": ok(number, done=number == done_at) for number in (1, 2, 3)}
    workflow = {"actions": [poll, step("b", **{"if": "{{ actions.poll.output }}"})]}
    return interpret(tmp_path, workflow, {**given, **answers})


def test_it_is_repeated_until_it_is_done(tmp_path: Path) -> None:
    ran = polled(tmp_path, 2)
    assert ran.log == ["poll#1", "poll#1#sleep 5.0", "poll#2", "b"]
    assert ran.result("poll").output == 2
    assert ran.result("poll").record["repetitions"] == 2


def test_repeated_as_often_as_it_may_it_fails_and_names_the_key(tmp_path: Path) -> None:
    ran = polled(tmp_path, 0)
    assert ran.log == ["poll#1", "poll#1#sleep 5.0", "poll#2", "poll#2#sleep 5.0", "poll#3"]
    error = ran.result("poll").error
    assert error is not None
    assert (error.kind, error.message) == ("timeout", "`until` was not true in 3 repetitions, 5s apart")
    assert "`repeat.at_most`" in str(error.help)
    assert ran.script.exhausted == ["poll"], "a resume is to begin anew"


def test_a_repetition_that_fails_ends_it_and_so_does_a_stop_in_between(tmp_path: Path) -> None:
    ran = polled(tmp_path, 3, **{"poll#2": failed("no")})
    assert ran.log == ["poll#1", "poll#1#sleep 5.0", "poll#2"]
    assert ran.statuses == {"poll": "failed", "b": "skipped"}
    assert ran.script.exhausted == []
    ran = polled(tmp_path / "b", 3, **{"poll#1#sleep": RunStoppedError(Status.TERMINATED)})
    assert ran.outcome.status is Status.TERMINATED
    assert ran.statuses == {"poll": "failed", "b": "skipped"}


def test_items_are_repeated_each_for_itself(tmp_path: Path) -> None:
    repeat = {"until": "{{ response.body.ready }}", "every": "1s", "at_most": 9}
    answers = {"page[0]#1": ok(1, done=False), "page[0]#2": ok(2, done=True), "page[1]#1": ok(3, done=True)}
    workflow = {"actions": [step("page", for_each=["x", "y"], repeat=repeat)]}
    ran = interpret(tmp_path, workflow, answers)
    assert ran.log == ["page[0]#1", "page[0]#1#sleep 1.0", "page[0]#2", "page[1]#1"]
    assert ran.result("page").output == [2, 3]
