"""The page in headless Chromium: no errors, sorts, searches, plays, lights up; hostile strings stay text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from avterm.report.page import write_page
from tests.report.runs import HOSTILE, evaluated, hostile
from tests.synthetic import make_run

websocket = pytest.importorskip("websocket", reason="websocket-client, which drives the browser, is not installed")
from tests.report.browser import Browser, find_chromium  # noqa: E402

NAMES = "[...document.querySelectorAll('.rows tbody a')].map(a => a.textContent)"
LIT = "[...document.querySelectorAll('.lit')].map(e => e.tagName.toLowerCase())"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    find_chromium()
    folder = tmp_path_factory.mktemp("page")
    write_page(evaluated(folder), folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    find_chromium()
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser on an empty page; whatever the test does must leave no error and ask nothing of the network."""
    chromium.send("Page.navigate", url="about:blank")
    chromium.errors.clear()
    chromium.requests.clear()
    chromium.dialogs.clear()
    chromium.prefer("light")
    chromium.resize(1400, 900)
    yield chromium
    assert chromium.errors == []
    assert chromium.dialogs == []
    assert all(url.startswith(("file:", "data:", "about:")) for url in chromium.requests)


def test_every_part_opens_without_errors(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert "avterm report" in browser.value("document.title")
    for part in ("overview", "clusters", "cluster-2", "map", "pairs", "pair-0", "figures", "nonsense", "pair-9999"):
        browser.value(f"location.hash = '{part}'")
        browser.wait("document.querySelector('main').textContent.length > 20")
    browser.value("location.hash = 'figures'")
    browser.wait("document.querySelectorAll('.plate img').length === 6")
    browser.value("document.querySelectorAll('.plate img').forEach(i => { i.loading = 'eager'; })")
    browser.wait("[...document.querySelectorAll('.plate img')].every(i => i.complete && i.naturalWidth > 100)")


def test_columns_sort_both_ways(browser: Browser, page: Path) -> None:
    browser.open(page, "#clusters")
    browser.click("button[data-key=title]")
    names = browser.value(NAMES)
    assert names == sorted(names)
    assert browser.value("document.querySelector('[aria-sort]').getAttribute('aria-sort')") == "ascending"
    browser.click("button[data-key=title]")
    assert browser.value(NAMES) == sorted(names, reverse=True)
    browser.click("button[data-key=purity]")
    assert browser.value(NAMES) == ["lighthouse", "castle", "boat", "train", "tree", "dog"]


def test_search_narrows_the_list(browser: Browser, page: Path) -> None:
    browser.open(page, "#clusters")
    browser.press("/", 191, "/")
    browser.wait("document.activeElement.id === 'search'")
    browser.type("CAST")
    browser.wait("document.querySelector('#count').textContent === '1 of 6'")
    assert browser.value(NAMES) == ["castle"]
    browser.value("document.querySelector('#search').value = ''")
    browser.type("no such word")
    browser.wait("document.querySelector('#count').textContent === '0 of 6'")


def test_the_keyboard_alone_reaches_a_cluster_and_plays_it(browser: Browser, page: Path) -> None:
    browser.open(page, "#clusters")
    browser.value("document.querySelector('.rows tbody a').focus()")
    browser.press("ArrowDown", 40)
    second = browser.value("document.activeElement.textContent")
    browser.press("Enter", 13, "\r")
    browser.wait(f"document.querySelector('.detail h2')?.textContent.startsWith({second!r})")
    for _ in range(60):
        browser.press("Tab", 9)
        if browser.value("document.activeElement.classList.contains('play')"):
            break
    browser.press(" ", 32, " ")
    browser.wait("document.documentElement.dataset.sound === 'playing'")
    browser.press("Escape", 27)
    browser.wait("document.documentElement.dataset.sound === 'idle'")


def test_a_segment_plays_to_its_end(browser: Browser, page: Path) -> None:
    browser.open(page, "#cluster-2")
    browser.click(".play")
    browser.wait("document.documentElement.dataset.sound === 'playing'")
    browser.wait("Number(document.documentElement.dataset.position) > 0.1")
    browser.wait("document.documentElement.dataset.sound === 'idle'")
    assert 0.3 < float(browser.value("document.documentElement.dataset.position")) < 0.7


def test_play_all_goes_from_one_segment_to_the_next(browser: Browser, page: Path) -> None:
    browser.open(page, "#cluster-2")
    browser.click("#play-all")
    browser.wait("Number(document.documentElement.dataset.played) >= 3")
    browser.click("#stop")
    browser.wait("document.documentElement.dataset.sound === 'idle'")


def test_a_pair_lights_up_together_and_plays_on_click(browser: Browser, page: Path) -> None:
    browser.open(page, "#pair-0")
    browser.hover(".span")
    lit = browser.value(LIT)
    assert {"g", "button", "span", "tr"} <= set(lit)
    colours = browser.value(
        "[getComputedStyle(document.querySelector('.span.lit')).borderTopColor,"
        "getComputedStyle(document.querySelector('g.lit .box')).stroke,"
        "getComputedStyle(document.querySelector('.words .lit')).borderBottomColor]"
    )
    assert len(set(colours)) == 1
    browser.click("g .box")
    browser.wait("document.documentElement.dataset.sound === 'playing'")
    browser.click("#play-caption")
    browser.wait("document.querySelector('.lane.on') !== null")
    browser.wait("Number(document.documentElement.dataset.position) > 0.2")


def test_spectrograms_are_drawn_in_the_colours_of_the_theme(browser: Browser, page: Path) -> None:
    mean = (
        "(() => { const c = document.querySelector('.lane canvas'); if (c.width < 2) return null;"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "return [d[0] === d[1] && d[1] === d[2], c.width]; })()"
    )
    browser.open(page, "#pair-0")
    browser.wait(f"{mean} !== null")
    assert browser.value(mean) == [False, 300]


def test_light_and_dark_follow_the_system_and_the_button(browser: Browser, page: Path) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    browser.open(page, "#figures")
    light, first = browser.value(ground), browser.value("document.querySelector('.plate img').src.slice(-99)")
    browser.prefer("dark")
    browser.wait(f"{ground} !== {light!r}")
    browser.wait(f"document.querySelector('.plate img').src.slice(-99) !== {first!r}")
    browser.click("#theme")
    browser.wait(f"{ground} === {light!r}")
    browser.click("#theme")
    browser.wait(f"{ground} !== {light!r}")
    browser.click("#theme")


def test_the_map_opens_clusters(browser: Browser, page: Path) -> None:
    browser.open(page, "#map")
    names = browser.value("[...document.querySelectorAll('.map text')].map(t => t.textContent)")
    assert sorted(names) == ["boat", "castle", "dog", "lighthouse", "train", "tree"]
    browser.click(".map a text")
    browser.wait(f"document.querySelector('.detail h2')?.textContent.startsWith({names[0]!r})")


def test_narrow_screens_do_not_scroll_sideways(browser: Browser, page: Path) -> None:
    browser.resize(380, 800)
    browser.open(page)
    for part in ("overview", "clusters", "cluster-2", "map", "pairs", "pair-0", "figures"):
        browser.value(f"location.hash = '{part}'")
        assert browser.value("document.documentElement.scrollWidth") <= 380, part


def test_hostile_strings_stay_text(browser: Browser, tmp_path: Path) -> None:
    write_page(hostile(tmp_path), tmp_path / "report.html")
    browser.open(tmp_path / "report.html")
    for part in ("overview", "clusters", "cluster-0", "cluster-1", "map", "pairs", "pair-0", "pair-1", "figures"):
        browser.value(f"location.hash = '{part}'")
        browser.wait("document.querySelector('main').textContent.length > 20")
        assert browser.value("window.hacked") is None
        assert browser.value("document.querySelectorAll('main script, main [onerror], main [onload]').length") == 0
        assert browser.value("[...document.querySelectorAll('a')].every(a => a.getAttribute('href').startsWith('#'))")
    browser.value("location.hash = 'cluster-0'")
    browser.wait("document.querySelector('.detail') !== null")
    assert HOSTILE[0] in browser.value("document.querySelector('.detail h2').textContent")


def test_without_media_or_evaluation_every_part_still_opens(browser: Browser, tmp_path: Path) -> None:
    write_page(make_run(tmp_path, media=False), tmp_path / "report.html")
    browser.open(tmp_path / "report.html")
    assert "No word times have been evaluated" in browser.value("document.querySelector('.notes').textContent")
    for part in ("clusters", "cluster-0", "map", "pairs", "figures"):
        browser.value(f"location.hash = '{part}'")
        browser.wait("document.querySelector('main').textContent.length > 20")
    browser.value("location.hash = 'cluster-0'")
    browser.wait("document.querySelector('main').textContent.includes('No sound or spectrogram')")
