"""Ids, labels and names that would like to draw on the screen themselves."""

from __future__ import annotations

import json

import pytest

from avterm.corpus.manifest import Corpus, Pair
from avterm.errors import printable
from avterm.store.groundings import shard_path, write_groundings
from avterm.store.shards import Header, Shard, write_shard
from tests.synthetic import make_run
from tests.tui.support import make_app, session_of, settle

EVIL = (
    "[red]not red[/red]", "[/]", "\x1b[31mred\x07", "a\nb\tc\r", "\u202egnirts", "x" * 5000, "漢字🙂e\u0301", "\\",
    "[@click=app.quit]x[/]", "../../etc/passwd", "$primary", " ",
)  # fmt: skip
KEYS = (
    ["end"], ["enter"], ["down"], ["down", "v"], ["v", "n", "escape"], ["M"], ["escape", "o"], ["right"],
    ["escape", "escape", "i"], ["ctrl+p"], ["escape", "question_mark"],
)  # fmt: skip


@pytest.fixture
def run(tmp_path):
    """A run whose ids, texts, speakers, labels and words are all like that."""
    run = make_run(tmp_path, media=False)
    old = run.corpus
    named = {p.id: f"{EVIL[i % len(EVIL)]}{i}" for i, p in enumerate(old)}
    pairs = [Pair(named[p.id], p.image, p.speech, p.split, EVIL[i], EVIL[i], EVIL[i]) for i, p in enumerate(old)]
    Corpus(run.corpus_path, pairs).save()
    words = [{"id": p.id, "words": [{"word": EVIL[i], "start": 0.0, "end": 1.0}]} for i, p in enumerate(pairs)]
    old.words_path.write_text("".join(json.dumps(w) + "\n" for w in words))
    for number in range(2):
        path = shard_path(run.path / "groundings", number)
        with Shard(path, "groundings") as shard:
            arrays = {n: shard[n][:] for n in ("offset", "size", "frames", "box", "segment", "score", "silence",
                                               "speech_embedding", "image_embedding")}  # fmt: skip
            ids = [named[id] for id in shard.texts("id")]
        write_groundings(path, "synthetic", {"id": ids, **arrays}, [])
    folder = run.path / "evaluation"
    folder.mkdir()
    facts = [{"cluster": c, "label": EVIL[c], "purity": 0.5, "coverage": 0.5, "speakers": 2} for c in range(6)]
    (folder / "k00006.json").write_text(json.dumps({"overall": {}, "clusters": facts}))
    labels = [EVIL[row % len(EVIL)] for row in range(48)]
    write_shard(folder / "labels.h5", Header("labels", 48, "x", {}), {"label": labels})
    return type(run).open(run.path)


def drawn(app) -> str:
    lines = app.screen._compositor.render_strips()
    return "".join(segment.text for strip in lines for segment in strip)


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (20, 6)])
async def test_every_screen_survives(run, size):
    session = session_of(run)
    session.read_curation()
    for cluster, name in enumerate(EVIL[:6]):
        session.decide("speech", "name", cluster, value=name)
        session.decide("speech", "note", cluster, value=name)
    app = make_app(session)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for keys in KEYS:
            await pilot.press(*keys)
            await settle(pilot, 2)
            text = drawn(app)
            assert text == printable(text)


async def test_damaged_evaluations_are_one_line(run):
    from avterm.errors import StoreError

    (run.path / "evaluation" / "k00006.json").write_text("{")
    with pytest.raises(StoreError, match="expected readable JSON"):
        session_of(run)
    (run.path / "evaluation" / "k00006.json").write_text("[1, 2]")
    (run.path / "evaluation" / "labels.h5").write_text("nothing")
    app = make_app(session_of(run))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("enter", "down")
        await settle(pilot)
