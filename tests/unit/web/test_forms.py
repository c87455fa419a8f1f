"""Rows in rows, as a browser posts them."""

import pytest
from pydantic import BaseModel, Field, ValidationError

from web.forms import add_row, field_errors, nest, remove_row, rows
from web.guards import ApiError


class Rule(BaseModel):
    timeout: int = Field(ge=0)


class Policy(BaseModel):
    name: str = Field(min_length=1)
    rules: list[Rule]


class TestNesting:
    def test_dotted_names_become_rows_in_the_order_of_the_form(self) -> None:
        values = nest([("name", "x"), ("rules.7.timeout", "5"), ("rules.2.timeout", "1")])
        assert values == {"name": "x", "rules": {"7": {"timeout": "5"}, "2": {"timeout": "1"}}}
        assert [key for key, _ in rows(values["rules"])] == ["7", "2"]

    @pytest.mark.parametrize(
        "pairs",
        [
            [("a", "1"), ("a.b", "2")],
            [("a.b", "2"), ("a", "1")],
            [(".".join("abcdefghij"), "1")],
            [(f"f{number}", "") for number in range(2001)],
        ],
    )
    def test_contradictions_and_bombs_are_refused(self, pairs: list[tuple[str, object]]) -> None:
        with pytest.raises(ApiError) as refused:
            nest(pairs)
        assert refused.value.status == 400

    def test_a_new_row_never_takes_an_old_rows_key(self) -> None:
        values = nest([("rules.0.timeout", "1"), ("rules.4.timeout", "2")])
        remove_row(values, "rules.0")
        assert add_row(values, "rules", {"timeout": ""}) == "5"
        assert list(values["rules"]) == ["4", "5"]

    def test_the_first_row_is_zero(self) -> None:
        values = nest([])
        assert add_row(values, "rules.2.targets") == "0"

    def test_removing_what_is_not_there_changes_nothing(self) -> None:
        values = nest([("name", "x")])
        remove_row(values, "rules.9")
        remove_row(values, "name.first")
        assert values == {"name": "x"}


class TestWhatIsWrong:
    def test_it_is_named_by_the_forms_own_row_keys(self) -> None:
        values = nest([("name", ""), ("rules.7.timeout", "5"), ("rules.2.timeout", "soon")])
        with pytest.raises(ValidationError) as refused:
            Policy.model_validate({**values, "rules": [row for _, row in rows(values["rules"])]})
        assert field_errors(refused.value, values) == {
            "name": "must have at least 1 characters",
            "rules.2.timeout": "must be a whole number",
        }
