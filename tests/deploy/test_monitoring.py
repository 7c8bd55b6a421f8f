"""The Grafana board and the alert rules ask only for what /metrics tells, and their numbers are the settings'."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser
import pytest
import yaml

from queue_app import conf, metrics
from queue_app.models import Total, TotalName
from tests import unavailable
from tests.posts.making import account
from tests.site import ROOT

pytestmark = pytest.mark.one_database

BOARD = json.loads((ROOT / "deploy/grafana/socialq.json").read_text())
RULES = ROOT / "deploy/prometheus/socialq.rules.yml"
# What Prometheus itself adds to each series, and a series of its own.
ADDED = {"job", "instance"}
PROMETHEUS_OWN = {"up": ADDED}
VARIABLES = {"$__rate_interval": "5m", "$job": "socialq", "$queue": ".*"}
# Which setting each threshold is, where the rule compares with it.
THRESHOLDS = {
    "SocialQFewWorkers": ("<", "HEALTH_MIN_WORKERS_SHARE"),
    "SocialQManyWaiting": (">", "HEALTH_MAX_WAITING"),
    "SocialQLate": (">", "VERY_LATE_SECONDS"),
    "SocialQManyErrors": (">", "HEALTH_MAX_ERROR_SHARE"),
}


def alerts() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def targets() -> Iterator[tuple[str, str]]:
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def filled(question: str) -> str:
    for name, value in VARIABLES.items():
        question = question.replace(name, value)
    return question


def asked(question: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each metric that a question names, with the labels by which it is chosen or grouped."""
    metrics_asked: list[tuple[str, set[str]]] = []
    grouped: set[str] = set()

    def visit(part: Any) -> bool:
        if isinstance(part, promql_parser.VectorSelector):
            metrics_asked.append((part.name, {matcher.name for matcher in part.matchers.matchers}))
        if isinstance(part, promql_parser.AggregateExpr) and part.modifier is not None:
            grouped.update(part.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(filled(question)), visit)
    for name, chosen in metrics_asked:
        yield name, chosen if len(metrics_asked) > 1 else chosen | grouped


@pytest.fixture
def told(db: None) -> Mapping[str, set[str]]:
    """The names of all series that /metrics tells, with their labels, as Prometheus keeps them."""
    account("Ada")
    for name in (TotalName.ENDED, TotalName.ATTEMPTS, TotalName.LATENESS, TotalName.DURATION):
        Total.objects.create(name=name, queue="q", type="t", counts=[1])
    endings = {"gauge": [""], "counter": ["_total"], "histogram": ["_count", "_sum", "_bucket"]}
    found = dict(PROMETHEUS_OWN)
    for metric in metrics.collect():
        for ending in endings[metric.kind]:
            bucket = {"le"} if ending == "_bucket" else set()
            found[f"socialq_{metric.name}{ending}"] = {*metric.labels, *ADDED, *bucket}
    return found


def test_every_question_asks_for_what_is_told(told: Mapping[str, set[str]]) -> None:
    questions = [*targets(), *((name, rule["expr"]) for name, rule in alerts().items())]
    assert len(questions) > 30
    for title, question in questions:
        for name, labels in asked(question):
            assert name in told, f"{title} asks for {name}"
            assert labels <= told[name], f"{title} asks {name} for {labels - told[name]}"


def test_the_boards_panels_have_ids_and_places_of_their_own() -> None:
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _y in cells) < 24
    assert all(panel["title"] and panel["description"] for panel in panels)


def test_the_board_asks_the_data_source_and_the_queues_that_a_person_chooses() -> None:
    variables = {variable["name"]: variable for variable in BOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["queue"]["multi"]) == ("datasource", True)
    asking = [*BOARD["panels"], *(target for panel in BOARD["panels"] for target in panel["targets"])]
    assert {each["datasource"]["uid"] for each in asking} == {"${datasource}"}
    used = set(re.findall(r"\$(\w+)", " ".join(question for _title, question in targets())))
    assert used == {"job", "queue", "__rate_interval"}


def test_the_board_shows_what_people_look_for() -> None:
    text = " ".join(question for _title, question in targets())
    for metric in (
        *("queue_jobs", "start_lateness_seconds_bucket", "success_ratio", "queue_workers", "oldest_due_seconds"),
        *("attempts_ended_total", "limit_remaining", "accounts_to_reconnect"),
    ):
        assert f"socialq_{metric}{{" in text


def test_the_alerts_numbers_are_the_settings() -> None:
    rules = alerts()
    for name, (sign, setting) in THRESHOLDS.items():
        _asked, _sign, number = rules[name]["expr"].rpartition(sign)
        assert float(number) == conf.SETTINGS[setting].default, name
        assert f"# {setting}\n      - alert: {name}" in RULES.read_text()
    assert {"SocialQNoWorker", "SocialQUnscraped", "SocialQDatabaseDown"} <= set(rules)
    assert all({"summary", "description"} <= set(rule["annotations"]) for rule in rules.values())


def test_every_alert_is_shown_to_fire_and_to_keep_still() -> None:
    cases = yaml.safe_load(RULES.with_name("socialq.rules.test.yml").read_text())["tests"]
    shown = {(each["alertname"], bool(each.get("exp_alerts"))) for case in cases for each in case["alert_rule_test"]}
    assert shown == {(name, fires) for name in alerts() for fires in (True, False)}


def test_prometheus_takes_the_rules_and_they_do_what_their_tests_say() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        unavailable("promtool is not installed (on Debian: apt install prometheus)")
    for words in (["check", "rules", RULES.name], ["test", "rules", "socialq.rules.test.yml"]):
        done = subprocess.run([promtool, *words], cwd=RULES.parent, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrape_example_asks_where_the_site_tells() -> None:
    (job,) = yaml.safe_load((ROOT / "deploy/prometheus/scrape.yml").read_text())
    assert (job["job_name"], job["metrics_path"]) == ("socialq", "/metrics")


def test_the_page_lists_every_metric_with_its_kind_and_labels(db: None) -> None:
    text = (ROOT / "docs/monitoring.md").read_text()
    listed = re.findall(r"^\| `socialq_(\w+)` \| (\w+) \| ([\w, ]*?) ?\|", text, re.MULTILINE)
    told = [
        (metric.name + "_total" * (metric.kind == "counter"), metric.kind, ", ".join(metric.labels))
        for metric in metrics.collect()
    ]
    assert sorted(listed) == sorted(told)
