"""Many requests by `for_each`, many pages of one: none is lost, memory stays small, and each costs the same however many there are."""

from pathlib import Path

from benchmarks.projects import items, pages, write
from benchmarks.scale import run
from benchmarks.server import serving


def test_thousands_of_requests_cost_each_the_same_and_little_memory(tmp_path: Path) -> None:
    with serving() as address:
        write(tmp_path, address, items(64))
        start, few, many = (run(tmp_path, count) for count in (1, 500, 2000))
    # CPU time: the wall clock of a busy machine says nothing.
    each_of_few = (few.cpu - start.cpu) / few.count
    each_of_more = (many.cpu - few.cpu) / (many.count - few.count)
    assert each_of_more < max(2.5 * each_of_few, 0.002), (each_of_few, each_of_more)
    assert many.memory < 150, many


def test_a_thousand_pages_cost_each_the_same_and_little_memory(tmp_path: Path) -> None:
    with serving() as address:
        write(tmp_path, address, pages())
        start, few, many = (run(tmp_path, count) for count in (1, 250, 1000))
    each_of_few = (few.cpu - start.cpu) / few.count
    each_of_more = (many.cpu - few.cpu) / (many.count - few.count)
    assert each_of_more < max(2.5 * each_of_few, 0.002), (each_of_few, each_of_more)
    assert many.memory < 150, many
