"""Shows how a search made its choice, from its saved tree: `tts trace RUN_DIR [PROBLEM ...]`.

Given problems, it shows their trees. Without, it recomputes the choice of every tree and counts those that differ from
the recorded choice: there should be none. The exit status is 1 if one does.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from tts.cli.failures import print_error
from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.terminal import Terminal
from tts.core.tree import ROOT, Node, choose, load_tree, tree_path
from tts.core.tree import Tree as SearchTree

_WIDTH = 60  # characters shown of a node's text


def shown(tree: SearchTree) -> Tree:
    """Returns a tree for the terminal: each node's text, score and votes, and the path to the choice."""
    path = set() if tree.chosen is None else {tree.chosen, *tree.ancestors(tree.chosen)}
    branches = {ROOT: Tree(Text(f"{tree.problem}: {_short(tree.nodes[ROOT].text)}", "bold"))}
    for number, node in enumerate(tree.nodes):
        if node.parent is not None:
            label = _label(number, node) + (" <- chosen" if number == tree.chosen else "")
            branches[number] = branches[node.parent].add(Text(label, "green" if number in path else ""))
    return branches[ROOT]


def _label(number: int, node: Node) -> str:
    parts = [f"{number}", _short(node.text)]
    if node.scores is not None:
        votes = [[_number(value) for value in vote.scores] for vote in node.votes]
        parts.append(f"score {_number(node.score)} of {' '.join(map(_number, node.scores))}")
        if len(votes) > 1:
            parts.append("votes on the last step " + " ".join(vote[-1] for vote in votes if vote))
    if node.candidate is not None:
        parts.append("no answer" if node.answer is None else f"answer {node.answer}")
    return " | ".join([*parts, node.status, f"{node.tokens} tokens"])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else line[: _WIDTH - 3] + "..."


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts trace", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="RUN_DIR")
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help="ids of the problems to show")
    return parser


def main(arguments: list[str] | None = None, console: Console | None = None) -> int:
    """Runs the command and returns its exit status."""
    given = parser().parse_args(arguments)
    console = console or Terminal()
    try:
        folder = given.folder / "trees"
        if not folder.is_dir():
            raise UserError(f"{given.folder}: not a run directory: it has no trees/")
        if given.problems:
            for problem in given.problems:
                path = tree_path(folder, problem)
                if not path.exists():
                    raise UserError(f"{given.folder}: no problem '{problem}' with a tree; results.jsonl has the ids")
                console.print(shown(load_tree(path)))
            return 0
        return _verify(folder, console)
    except UserError as error:
        print_error(console, str(error))
        return 2


def _verify(folder: Path, console: Console) -> int:
    count, different = 0, []
    for path in sorted(folder.glob("*.json")):
        tree = load_tree(path)
        count += 1
        if choose(tree) != tree.chosen:
            different.append(f"{tree.problem}: chosen {tree.chosen}, derived {choose(tree)}")
    for line in different:
        console.print(line, markup=False, highlight=False)
    console.print(f"{count} trees, {len(different)} whose choice does not follow from them")
    return 1 if different else 0


if __name__ == "__main__":
    from tts.cli.main import main as tts

    sys.exit(tts(["trace", *sys.argv[1:]]))
