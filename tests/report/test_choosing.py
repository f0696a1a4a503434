"""Which candidate each rule would have chosen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tts.core.selection import SELECTIONS, right_choice
from tts.report.choosing import by_rule

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.sampled_from([None, 0, 1, 2]),
            "correct": st.booleans(),
            "score": st.sampled_from([None, 0.1, 0.5, 0.9]),
        }
    ),
    max_size=6,
)


@given(ROWS)
def test_it_is_what_each_rule_chooses_also_where_all_are_right_or_wrong(rows: list[dict]) -> None:
    seen: dict[int, int] = {}
    for row in rows:
        row["group"] = None if row["group"] is None else seen.setdefault(row["group"], len(seen))
    scores, groups, right = ([row[key] for row in rows] for key in ("score", "group", "correct"))
    expected = {name: right_choice(name, rule(scores, groups), groups, right) for name, rule in SELECTIONS.items()}
    assert by_rule(rows) == expected  # type: ignore[arg-type]
