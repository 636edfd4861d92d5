"""Plans: what is served before and after each change."""

import pytest

from app.registry.plan import Plan


def described(plan: Plan) -> tuple[list[str], dict[str, str]]:
    return [f"{entry.name}/{entry.version}" for entry in plan.entries], plan.current


@pytest.fixture
def plan() -> Plan:
    return Plan.first({"cats": "1", "dogs": "1"}, default="cats")


def test_what_is_staged_is_not_served(plan: Plan) -> None:
    staged = plan.stage("cats", "2")
    assert described(staged) == (["cats/1", "dogs/1"], {"cats": "1", "dogs": "1"})
    assert staged.generation > plan.generation
    assert described(staged.abandon()) == described(plan)
    assert staged.abandon().staged is None


def test_what_is_committed_answers_for_its_name(plan: Plan) -> None:
    both = plan.stage("cats", "2").commit()
    assert described(both) == (["cats/1", "dogs/1", "cats/2"], {"cats": "2", "dogs": "1"})
    back = both.stage("cats", "1").commit()
    assert described(back) == (["dogs/1", "cats/2", "cats/1"], {"cats": "1", "dogs": "1"})


def test_a_version_loaded_anew_is_another_entry(plan: Plan) -> None:
    (before,) = (entry for entry in plan.entries if entry.name == "cats")
    again = plan.stage("cats", "1").commit()
    (after,) = (entry for entry in again.entries if entry.name == "cats")
    assert before != after
    assert (before.name, before.version) == (after.name, after.version)


def test_the_version_loaded_last_takes_the_place_of_one_that_is_removed(plan: Plan) -> None:
    three = plan.stage("cats", "2").commit().stage("cats", "3").commit()
    assert described(three.remove("cats", "3")) == (
        ["cats/1", "dogs/1", "cats/2"],
        {"cats": "2", "dogs": "1"},
    )
    assert described(three.remove("cats", "2")) == (
        ["cats/1", "dogs/1", "cats/3"],
        {"cats": "3", "dogs": "1"},
    )
    assert described(three.remove("cats", None)) == (["dogs/1"], {"dogs": "1"})


def test_a_plan_comes_back_from_json_as_it_was(plan: Plan) -> None:
    staged = plan.stage("cats", "2")
    assert Plan.model_validate_json(staged.model_dump_json()) == staged
