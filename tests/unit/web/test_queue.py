from copilot.web.queue import Ahead, Queue


def test_line_is_first_come_first_served() -> None:
    line = Queue()
    first, second, third = (line.run_in_turn(iter([name])) for name in "abc")
    assert next(first) == "a"
    assert next(second) == Ahead(1)
    assert next(third) == Ahead(2)
    assert list(first) == []
    assert [next(second), next(second)] == [Ahead(0), "b"]
    assert next(third) == Ahead(1)


def test_closing_frees_the_place() -> None:
    line = Queue()
    first, second = line.run_in_turn(iter("ab")), line.run_in_turn(iter("c"))
    next(first)
    assert next(second) == Ahead(1)
    first.close()
    assert next(second) == Ahead(0)
    second.close()
    assert next(line.run_in_turn(iter("d"))) == "d"
