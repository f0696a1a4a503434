"""report.html in a browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report.chromium import BINARY, Chromium
from tests.report.conftest import records, rewrite, seeded
from tts.report.__main__ import main

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BINARY is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]

EVIL = "</script><script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"


@pytest.fixture(scope="module")
def page(grid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose first problem has markup wherever a model or a task can put text."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("n4k1", "n4k2", "n2k2"):
        shutil.copytree(grid / name, folder / name)
        rows = records(folder / name)
        rows[0]["question"] += EVIL
        rows[0]["answer"] = EVIL
        rows[0]["prediction"] = rows[0]["solutions"][0]["answer"] = EVIL
        rewrite(folder / name, rows)
        path = folder / name / "trees" / "problem-0.json"
        tree = json.loads(path.read_text())
        node = tree["nodes"][1]
        tree["graph"]["chosen"] = node["id"]
        node["answer"] = EVIL
        node["votes"][0]["critiques"][0] = (
            f"{EVIL}\n```python\nprint('{EVIL}')\n```\n[Code Output]\n\n```\n{EVIL}\n```\n"
        )
        node["text"] = "\n\n".join([EVIL, *node["text"].split("\n\n")[1:]])
        path.write_text(json.dumps(tree))
    (folder / "n2k2" / "trees" / "problem-1.json").write_text('{"torn')
    assert main([str(folder)]) == 0
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as chromium:
        yield chromium


def text(browser: Chromium, selector: str = "main") -> str:
    return str(browser.run(f"document.querySelector({json.dumps(selector)}).textContent"))


def go(browser: Chromium, page: Path, values: str, ready: str) -> None:
    browser.open(f"{page.as_uri()}?{abs(hash(values))}#{values}")
    browser.until(f"document.querySelector({json.dumps(ready)}) !== null")


def test_the_overview_has_every_part_and_asks_no_network(browser: Chromium, page: Path) -> None:
    browser.events.clear()
    go(browser, page, "view=overview", "main table")
    shown = text(browser)
    for heading in (
        "Runs",
        "Accuracy against cost",
        "Accuracy against candidates",
        "Candidates or votes",
        "Paired differences",
    ):
        assert heading in shown
    assert browser.run("document.querySelectorAll('.chart svg').length") == 2
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    assert [url.split(":")[0] for url in asked] == ["file"]
    wrong = ("Runtime.exceptionThrown", "Log.entryAdded")
    assert [event for event in browser.events if event.get("method") in wrong] == []


def test_tables_sort_and_say_so(browser: Chromium, page: Path) -> None:
    go(browser, page, "view=overview", "main table")
    column = "[...document.querySelectorAll('main table tbody')[0].rows].map((row) => row.cells[1].textContent)"
    browser.run("document.querySelectorAll('main table')[0].querySelectorAll('thead button')[1].focus()")
    browser.press("Enter")
    assert browser.run(column) == ["4", "4", "2"]
    assert (
        browser.run("document.querySelectorAll('main table')[0].rows[0].cells[1].getAttribute('aria-sort')")
        == "descending"
    )
    browser.press("Enter")
    assert browser.run(column) == ["2", "4", "4"]
    assert text(browser, "#live") == "sorted by N, ascending"


def test_a_chart_can_be_read_and_zoomed_with_keys(browser: Chromium, page: Path) -> None:
    go(browser, page, "view=overview", ".chart svg")
    browser.run("document.querySelectorAll('.chart svg')[1].focus()")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    assert "candidates (n): " in text(browser, "#live")
    ticks = "[...document.querySelectorAll('.chart')[1].querySelectorAll('text')].map((t) => t.textContent).join()"
    before = browser.run(ticks)
    browser.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '+' }))")
    assert browser.run(ticks) != before
    browser.run("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '0' }))")
    assert browser.run(ticks) == before


def test_a_problem_shows_its_search_and_what_models_wrote_as_text(browser: Chromium, page: Path) -> None:
    go(browser, page, "view=problem&set=0&problem=0&run=0", ".treebox")
    browser.run("document.querySelectorAll('.panel details').forEach((details) => { details.open = true; })")
    browser.until("document.querySelector('.panel figure') !== null")
    panel = text(browser, ".panel")
    assert panel.count(EVIL) >= 4  # the step, the critique, its code, its output
    assert "Code (python)" in panel
    assert "Code output" in panel
    assert EVIL in text(browser, ".question")
    assert browser.run("document.querySelectorAll('main script, main img').length") == 0
    assert browser.run("document.title") == "problem-0 – test-time scaling report"


def test_the_tree_is_walked_with_keys(browser: Chromium, page: Path) -> None:
    go(browser, page, "view=problem&set=0&problem=2&run=1", ".treebox")
    label = "document.activeElement.getAttribute('aria-label')"
    browser.run("document.querySelector('[role=treeitem][tabindex=\"0\"]').focus()")
    assert "chosen" in browser.run(label)
    browser.press("ArrowLeft")
    assert browser.run(label) == "the problem"
    browser.press("ArrowRight")
    assert "chosen" in browser.run(label)
    assert "Step 1" in text(browser, ".panel")
    assert "Vote 1: " in text(browser, ".panel")


def test_a_tree_that_is_torn_costs_itself_alone(browser: Chromium, page: Path) -> None:
    names = [path.parent.name for path in sorted(page.parent.rglob("results.jsonl"))]
    go(browser, page, f"view=problem&set=0&problem=1&run={names.index('n2k2')}", "main details")
    assert "Its search tree cannot be read" in text(browser)
    assert "2 candidates" in text(browser)


def test_seeds_are_one_run_and_a_page_of_a_problem_has_each(browser: Chromium, tmp_path: Path) -> None:
    for seed in (0, 1):
        seeded(tmp_path, f"s{seed}", seed, 2)
    seeded(tmp_path, "few", 5, 4)
    rewrite(tmp_path / "few", records(tmp_path / "few")[:12])
    assert main([str(tmp_path)]) == 0
    go(browser, tmp_path / "report.html", "view=overview", "main table")
    assert browser.run("document.querySelectorAll('main table tbody')[0].rows.length") == 2
    assert "BestOfN n=2 [2 seeds]" in text(browser, "main table")
    assert "Not all of the 20 problems are in every run" in text(browser)
    go(browser, tmp_path / "report.html", "view=problem&problem=15&run=0", "main details")
    assert browser.run("document.querySelectorAll('main table tbody')[0].rows.length") == 3
    shown = text(browser, "main table")
    assert "BestOfN n=2, seed 0" in shown
    assert "BestOfN n=2, seed 1" in shown
    assert "not there" in shown
    name = "[...document.querySelectorAll('main table tbody a')].find((a) => a.textContent.includes('n=4'))"
    browser.run(f"{name}.click()")
    browser.until("document.querySelector('main').textContent.includes('This run does not have the problem')")


def test_problems_are_searched_and_opened(browser: Chromium, page: Path) -> None:
    go(browser, page, "view=problems", "main input")
    browser.run("document.querySelector('main input').value = 'problem-7'")
    browser.run("document.querySelector('main input').dispatchEvent(new Event('input'))")
    assert browser.run("document.querySelectorAll('main tbody tr').length") == 1
    browser.run("document.querySelector('main tbody a').focus()")
    browser.press("Enter")
    browser.until("document.querySelector('.treebox') !== null")
    assert text(browser, "h1") == "problem-7"
    assert browser.run("document.activeElement.tagName") == "H1"


@pytest.mark.parametrize("dark", [False, True])
def test_no_page_is_wider_than_a_phone_and_colours_follow_the_system(browser: Chromium, page: Path, dark: bool) -> None:
    browser.look(420, 900, dark)
    for values, ready in (
        ("view=overview", ".chart"),
        ("view=problems", "main input"),
        ("view=problem&problem=3", ".treebox"),
    ):
        go(browser, page, values, ready)
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        assert browser.run("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("document.documentElement.dataset.theme") == ("light" if dark else "dark")
    browser.run("localStorage.clear()")
    browser.look(1200, 900)
