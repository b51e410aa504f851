"""The tests of each user: kept, masked, bounded, repeated ones once."""

from collections.abc import Callable

from irislite.director import Director
from irislite.testhistory import LONGEST_BODY, MOST


def test_tests_are_kept_by_user_and_survive(open_director: Callable[[], Director]) -> None:
    director = open_director()
    director.tests.add("ann", "Echo", "msg.Ask", '{"text": "a", "api_key": "hf_secret"}', 1, 1)
    director.tests.add("ann", "Echo", "msg.Ask", '{"text": "b"}', 2, 2)
    director.tests.add("bob", "Echo", "", "", 3, 3)
    director.tests.add("ann", "Echo", "msg.Ask", '{"text": "a", "api_key": "hf_other"}', 4, 4)
    director.close()
    tests = open_director().tests
    assert [(test.session_id, test.body) for test in tests.of("ann")] == [
        (4, '{"text": "a", "api_key": "********"}'), (2, '{"text": "b"}'),
    ]  # fmt: skip
    assert [test.message_id for test in tests.of("bob")] == [3] and tests.of("eve") == []
    assert tests.forget("ann") == 2 and tests.of("ann") == [] and len(tests.of("bob")) == 1


def test_what_is_too_much_is_left_out(open_director: Callable[[], Director]) -> None:
    tests = open_director().tests
    for number in range(MOST + 5):
        tests.add("ann", "Echo", "msg.Ask", f'{{"number": {number}}}', number, number)
    assert [test.message_id for test in tests.of("ann")] == list(range(MOST + 4, 4, -1))
    assert tests.add("ann", "Echo", "msg.Ask", "x" * (LONGEST_BODY + 1), 99, 99).body is None
