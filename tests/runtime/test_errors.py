"""Names that come near to what was asked for."""

import pytest

from irislite.bridge.objects import AlertRequest, EnsRequest, StringRequest
from irislite.errors import UnknownItem, near
from irislite.router import ALARM


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), ""),
        (("Till",), " There is: Till."),
        (("Till", "Shop"), " There are: Shop, Till."),
        (("Ech", "Till"), " Did you mean 'Ech'?"),
    ],
)
def test_what_there_is(names: tuple[str, ...], told: str) -> None:
    assert near("Echo", names) == told


def test_the_timers_own_target_is_not_offered(director) -> None:
    with pytest.raises(UnknownItem) as told:
        director.test("Zzz", "", "")
    assert "There are: " in str(told.value) and ALARM not in str(told.value)
    with pytest.raises(UnknownItem) as told:
        director.test("Ens.Alarmed", "", "")
    assert ALARM not in str(told.value).replace("Ens.Alarmed", "")


def test_a_body_shows_what_it_carries() -> None:
    assert repr(StringRequest("tea")) == "StringRequest('tea')"
    assert repr(EnsRequest()) == "EnsRequest()"
    assert repr(AlertRequest("Till", "empty")).startswith("AlertRequest(SourceConfigName='Till', AlertText='empty', ")
