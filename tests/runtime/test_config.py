"""Productions in and out of iop's dictionaries, and edits that survive a changed file."""

import dataclasses

import pytest

from irislite import config
from irislite.errors import ProductionError, UnknownItem

DATA = {
    "@Name": "A.Production",
    "ActorPoolSize": "3",
    "Item": [
        {
            "@Name": "One", "@ClassName": "Python.One", "@PoolSize": "2", "@Enabled": "true",
            "Setting": {"@Target": "Host", "@Name": "%settings", "#text": "a=1"},
        },
        {"@Name": "Two", "@ClassName": "Python.Two", "@Enabled": "false"},
    ],
}  # fmt: skip


def test_a_production_goes_in_and_out_unchanged() -> None:
    production = config.from_dict("A.Production", DATA)
    assert production.actor_pool_size == 3
    assert production.item("One").setting("%settings") == "a=1"
    assert not production.item("Two").enabled
    assert config.from_dict("A.Production", config.to_dict(production)) == production


def test_a_single_item_may_come_without_a_list() -> None:
    assert len(config.from_dict("P", {"Item": {"@Name": "Only"}}).items) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"Item": [{"@Name": "A"}, {"@Name": "A"}]}, "two items named 'A'"),
        ({"Item": [{"@ClassName": "X"}]}, "no @Name"),
        ({"Item": [{"@Name": "A", "@PoolSize": "many"}]}, "whole number"),
        ({"Item": [{"@Name": "A", "@PoolSize": "-1"}]}, "whole number"),
    ],
)
def test_what_is_wrong_is_said(data: dict, words: str) -> None:
    with pytest.raises(ProductionError, match=words):
        config.from_dict("P", data)


def test_an_unknown_item_names_near_ones() -> None:
    with pytest.raises(UnknownItem, match="Did you mean 'One'"):
        config.from_dict("P", DATA).item("Onne")


def test_edits_stay_unless_the_file_changed_the_same_thing() -> None:
    source = config.from_dict("P", DATA)
    edited = source.with_item(
        dataclasses.replace(
            source.item("One"), pool_size=5, settings={("Host", "%settings"): "a=2", ("Host", "x"): "y"}
        )
    )
    assert config.merge(edited, source, source) == edited
    changed_file = source.with_item(dataclasses.replace(source.item("One"), settings={("Host", "%settings"): "a=9"}))
    merged = config.merge(edited, source, changed_file).item("One")
    assert merged.pool_size == 5
    assert dict(merged.settings) == {("Host", "%settings"): "a=9", ("Host", "x"): "y"}


def test_an_item_that_the_file_dropped_goes_and_one_that_was_added_by_hand_stays() -> None:
    source = config.from_dict("P", DATA)
    by_hand = dataclasses.replace(source.item("Two"), name="Mine")
    current = dataclasses.replace(source, items=(*source.items, by_hand))
    new_file = dataclasses.replace(source, items=(source.items[0],))
    assert [item.name for item in config.merge(current, source, new_file).items] == ["One", "Mine"]
