"""The search in a process of its own."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading

import pytest

from avterm.errors import BadInput, StoreError
from avterm.tui import finder
from avterm.tui.searcher import Hit, SearchProcess
from tests.synthetic import make_run

ECHO = """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked["path"].endswith("gone.wav"): sys.exit(3)
    if asked["path"].endswith("long.wav"): sys.stdin.read()
    if asked["path"].endswith("bad.wav"): print(json.dumps({"error": "bad.wav: no sound"}), flush=True)
    else: print(json.dumps({"hits": [{"kind": asked["kind"], "id": str(asked["k"]), "score": -0.5,
                                      "measure": "distance"}]}), flush=True)
"""


@pytest.fixture
def process(tmp_path):
    search = SearchProcess(tmp_path, lambda: 7)
    search._command = [sys.executable, "-c", ECHO]
    yield search
    search.close()


def test_questions_and_answers(process, tmp_path):
    hit = process.by_sound(tmp_path / "a.wav")[0]
    assert (hit.kind, hit.id, hit.value, hit.measure) == ("sound", "7", 0.5, "distance")
    assert process.by_picture(tmp_path / "a.png")[0].kind == "picture"
    with pytest.raises(BadInput, match=r"^bad\.wav: no sound$"):
        process.by_sound(tmp_path / "bad.wav")


def test_one_that_ended_is_told_and_started_again(process, tmp_path):
    with pytest.raises(StoreError, match=r"ended by itself \(code 3\)"):
        process.by_sound(tmp_path / "gone.wav")
    assert process.by_sound(tmp_path / "a.wav")


def test_leaving_ends_a_search_that_goes_on(process, tmp_path):
    process.by_sound(tmp_path / "a.wav")
    said = []

    def work():
        try:
            process.by_sound(tmp_path / "long.wav")
        except StoreError as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    while not process._turn.locked():
        pass
    process.close()
    thread.join(20)
    assert not thread.is_alive()
    assert said
    with pytest.raises(StoreError, match="closed"):
        process.by_sound(tmp_path / "a.wav")


def test_the_finder_answers_line_by_line(tmp_path, monkeypatch):
    made = []

    class Fake:
        def __init__(self, run, k):
            made.append(run.path)
            self.k = k

        def by_sound(self, path):
            return [Hit("cluster", str(self.k()), -0.25, "speech", "boat", "distance")]

        def by_picture(self, path):
            raise BadInput(f"{path}: no picture")

    monkeypatch.setattr(finder, "Searcher", Fake)
    run = make_run(tmp_path, media=False)
    asked = [{"kind": "sound", "path": "a.wav", "k": 6}, {"kind": "picture", "path": "b", "k": 6},
             {"kind": "sound", "path": "a.wav", "k": 9}]  # fmt: skip
    said = io.StringIO()
    finder.answer_all(run.path, io.StringIO("".join(json.dumps(a) + "\n" for a in asked)), said)
    first, second, third = (json.loads(line) for line in said.getvalue().splitlines())
    assert Hit(**first["hits"][0]) == Hit("cluster", "6", -0.25, "speech", "boat", "distance")
    assert second == {"error": "b: no picture"}
    assert third["hits"][0]["id"] == "9"
    assert made == [run.path]


def test_a_run_without_a_model_is_one_line(tmp_path):
    run = make_run(tmp_path, media=False)
    search = SearchProcess(run.path, lambda: 6)
    with pytest.raises(BadInput) as error:
        search.by_sound(tmp_path / "a.wav")
    assert "\n" not in str(error.value)
    assert str(run.path) in str(error.value)
    search.close()


def test_nothing_in_the_folder_of_the_caller_is_imported(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("open('ran', 'w').close()\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    done = subprocess.run(SearchProcess(tmp_path, lambda: 7)._command, input="", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not (tmp_path / "ran").exists()
