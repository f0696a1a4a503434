"""The page at `/`: served with a policy of its own, and in a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from tests.report.chromium import BINARY, Chromium  # noqa: E402
from tests.serve.caller import QUESTION, HeldEngine, Served, serving  # noqa: E402

EVIL = "<img src=x onerror=\"document.title = 'owned'\">"


@pytest.mark.asyncio(loop_scope="package")
async def test_it_runs_its_own_script_and_no_other(server: Served) -> None:
    answer = await server.client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert "http" not in answer.text.replace("http://www.w3.org", "")  # nothing comes from elsewhere


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, HeldEngine, asyncio.AbstractEventLoop]]:
    """A server over a scripted engine, in a thread with a loop of its own."""
    ready, found = threading.Event(), list[tuple[uvicorn.Server, int, HeldEngine, asyncio.AbstractEventLoop]]()

    async def serve() -> None:
        async with serving() as served:
            await served.service.catalogue.check()  # takes a while, and a browser waits ten seconds
            server = uvicorn.Server(
                uvicorn.Config(served.app, port=0, log_config=None, access_log=False, lifespan="off")
            )
            running = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            found.append((server, port, served.engine, asyncio.get_running_loop()))
            ready.set()
            await running

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait()
    [(server, port, engine, loop)] = found
    yield f"http://127.0.0.1:{port}/", engine, loop
    loop.call_soon_threadsafe(engine.free.set)
    server.should_exit = True
    thread.join()


@pytest.fixture
def browser(place: tuple[str, HeldEngine, asyncio.AbstractEventLoop], tmp_path: Path) -> Iterator[Chromium]:
    with Chromium(tmp_path / "profile") as chromium:
        chromium.open(place[0])
        chromium.until("document.querySelectorAll('select option').length === 4")
        yield chromium


def ask(browser: Chromium, question: str) -> None:
    browser.run(f"document.querySelector('textarea').value = {question!r}")
    browser.run("document.querySelector('button[type=submit]').click()")


@pytest.mark.serve
@pytest.mark.skipif(BINARY is None, reason="no Chromium on this machine (Debian: apt-get install chromium)")
class TestInABrowser:
    def test_a_question_grows_a_tree_and_gets_its_answer(self, browser: Chromium) -> None:
        ask(browser, QUESTION)
        browser.until("document.querySelector('#status strong') !== null")
        assert browser.run("document.querySelector('#status strong').textContent") == "56"
        assert "\\boxed{56}" in browser.run("document.querySelector('#answer').textContent")
        assert browser.run("document.querySelectorAll('.node').length") == 17
        assert browser.run("document.querySelectorAll('.node.way').length") == 2
        assert "score 1.000" in browser.run("document.querySelector('.panel').textContent")
        assert browser.run("document.querySelector('button[type=submit]').disabled") is False

    def test_it_can_be_stopped(
        self, browser: Chromium, place: tuple[str, HeldEngine, asyncio.AbstractEventLoop]
    ) -> None:
        _, engine, loop = place
        loop.call_soon_threadsafe(engine.free.clear)
        ask(browser, QUESTION)
        browser.until("[...document.querySelectorAll('button')].at(-1).disabled === false")
        browser.run("[...document.querySelectorAll('button')].at(-1).click()")
        browser.until("document.querySelector('#status').textContent === 'Stopped.'")
        loop.call_soon_threadsafe(engine.free.set)

    def test_what_is_refused_is_said(self, browser: Chromium) -> None:
        browser.run("document.querySelector('input[type=number]').value = '999'")
        ask(browser, QUESTION)
        browser.until("document.querySelector('#status .wrong') !== null")
        assert "tts.n=999" in browser.run("document.querySelector('#status').textContent")

    def test_what_was_dropped_is_said_and_the_choice_is_selected_in_the_end(
        self, browser: Chromium, place: tuple[str, HeldEngine, asyncio.AbstractEventLoop]
    ) -> None:
        _, engine, loop = place
        browser.run("document.querySelector('select').value = 'beam-8+genprm'")
        ask(browser, QUESTION)
        browser.until("document.querySelector('#status strong') !== null")
        browser.run("[...document.querySelectorAll('.node')].at(-1).dispatchEvent(new MouseEvent('click'))")
        assert "dropped" in browser.run("document.querySelector('.panel').textContent")
        loop.call_soon_threadsafe(engine.free.clear)
        ask(browser, QUESTION)
        browser.until("document.querySelectorAll('.node').length === 1")
        assert browser.run("getComputedStyle(document.querySelector('#answer')).display") == "none"
        loop.call_soon_threadsafe(engine.free.set)
        browser.until("document.querySelector('#status strong') !== null")
        assert "chosen" in browser.run("document.querySelector('.panel').textContent")

    def test_it_is_dark_for_who_prefers_that(self, browser: Chromium) -> None:
        colours = set()
        for dark, theme in ((True, "dark"), (False, "light")):
            browser.look(800, 600, dark=dark)
            browser.until(f"document.documentElement.dataset.theme === '{theme}'")
            colours.add(browser.run("getComputedStyle(document.body).backgroundColor"))
        assert len(colours) == 2

    def test_texts_are_never_markup(self, browser: Chromium) -> None:
        ask(browser, EVIL)
        browser.until("document.querySelector('#status strong') !== null")
        browser.run("document.querySelector('.node').dispatchEvent(new MouseEvent('click'))")
        assert browser.run("document.querySelectorAll('main img').length") == 0
        assert browser.run("document.title") == "Ask"
