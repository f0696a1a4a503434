"""Laws of finished search trees: what is saved comes back, and becomes a graph where one is asked for."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core import Vote
from tts.core.errors import UserError
from tts.core.tree import REWRITES, ROOT, Node, Tree, load_tree, save_tree, tree_path

scores = st.lists(st.none() | st.floats(0, 1), max_size=3).map(tuple)
words = st.text(max_size=5)


@st.composite
def nodes(draw: st.DrawFn, number: int) -> Node:
    node = Node(
        draw(words),
        parent=draw(st.integers(0, number - 1)),
        index=draw(st.integers(-1, 9)),
        tokens=draw(st.integers(0, 99)),
        status=draw(st.sampled_from(["expanded", "finished", "cut", "open"])),
        steps=draw(st.integers(0, 5)),
        landed_s=draw(st.floats(0, 9)),
        kind=draw(st.sampled_from(["", *REWRITES])),
        notes=draw(st.dictionaries(st.sampled_from(["visits", "value"]), st.floats(0, 9))),
    )
    extra: dict[str, object] = {}
    if draw(st.booleans()):
        votes = draw(st.lists(st.builds(Vote, scores, st.lists(words, max_size=2).map(tuple)), max_size=2))
        extra |= {
            "scores": draw(scores),
            "score": draw(st.none() | st.floats(0, 1)),
            "votes": tuple(votes),
            "judged_s": 1.5,
        }
    if draw(st.booleans()):
        extra |= {"candidate": number, "answer": draw(st.none() | words), "group": draw(st.none() | st.integers(0, 3))}
    return Node(**{**vars(node), **extra})


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    count = draw(st.integers(0, 8))
    below = [draw(nodes(number)) for number in range(1, count + 1)]
    chosen = draw(st.none() | st.integers(0, count))
    by = draw(st.sampled_from([None, "value"]))
    return Tree(draw(words), "argmax", draw(st.sampled_from([None, "min"])), chosen, (Node("?"), *below), by)


@given(trees())
def test_what_is_saved_comes_back(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_tree(tree, Path(folder))
        assert load_tree(tree_path(Path(folder), tree.problem)) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree


@given(trees())
def test_the_graph_is_what_is_saved(tree: Tree) -> None:
    graph = tree.to_networkx()
    assert nx.is_arborescence(graph)
    with tempfile.TemporaryDirectory() as folder:
        save_tree(tree, Path(folder))
        saved = json.loads(tree_path(Path(folder), tree.problem).read_text("utf-8"))
    assert nx.utils.graphs_equal(graph, nx.DiGraph(nx.node_link_graph(saved, edges="edges")))
    assert json.dumps(saved) == json.dumps(nx.node_link_data(graph, edges="edges"))
    for number in range(len(tree.nodes)):
        assert list(tree.children(number)) == sorted(graph.successors(number))
        assert set(tree.ancestors(number)) == nx.ancestors(graph, number)
    assert tree.leaves() == sorted(node for node in graph if node != ROOT and not graph[node])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not a search tree"),
        ("[" * 100_000, "not a search tree"),
        ('{"nodes": [], "edges": []}', "not a search tree"),
        ('{"graph": {"problem": "p"}, "nodes": [], "edges": []}', "it has no aggregator, chosen, selection"),
        (
            '{"graph": {"problem": "p", "selection": "argmax", "aggregator": null, "chosen": null}, "edges": [],'
            ' "nodes": [{"text": "?", "id": 0}, {"text": "lost", "id": 1}]}',
            "not a search tree",
        ),
    ],
)
def test_another_file_is_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=says):
        load_tree(tmp_path / "a.json")


def test_networkx_waits_until_it_is_asked_for() -> None:
    code = "import sys, tts.core.tree, tts.core.events; sys.exit('networkx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
