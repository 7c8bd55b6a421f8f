"""The table of transitions: every edge, and for each state one that does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_app import states
from queue_app.states import MARKED_EXITS, TRANSITIONS, IllegalTransition, JobState

EDGES = [(source, target) for source, targets in TRANSITIONS.items() for target in targets]
MISSING = [(source, target) for source in JobState for target in JobState if target not in TRANSITIONS[source]]


@pytest.mark.parametrize(("source", "target"), EDGES)
def test_every_edge_is_allowed(source: JobState, target: JobState) -> None:
    states.check(1, source, target, marked=target == JobState.UNCERTAIN)


@pytest.mark.parametrize(("source", "target"), MISSING)
def test_everything_else_is_refused_and_says_what_is_allowed(source: JobState, target: JobState) -> None:
    with pytest.raises(IllegalTransition, match=f"job 1 is {source} and cannot become {target}; allowed: "):
        states.check(1, source, target)


@pytest.mark.parametrize("target", sorted(set(TRANSITIONS[JobState.RUNNING]) - MARKED_EXITS))
def test_a_marked_job_does_not_go_back(target: JobState) -> None:
    with pytest.raises(IllegalTransition):
        states.check(1, JobState.RUNNING, target, marked=True)


def test_an_unmarked_job_is_never_uncertain() -> None:
    with pytest.raises(IllegalTransition):
        states.check(1, JobState.RUNNING, JobState.UNCERTAIN, marked=False)


def test_the_documented_diagram_is_the_table() -> None:
    page = Path(__file__).parents[2] / "docs" / "states.md"
    assert states.diagram() in page.read_text(), "run: python -m tests.write_state_diagram"
