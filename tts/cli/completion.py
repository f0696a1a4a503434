"""Shell completion: `eval "$(tts completion bash)"` in ~/.bashrc, or for zsh in ~/.zshrc."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module

from tts.core.arguments import Parser

_BASH = """\
_tts_completion() {
    local IFS=$'\\n'
    COMPREPLY=($(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        "${COMP_WORDS[0]}" completion query 2>/dev/null))
}
complete -o nospace -o default -F _tts_completion tts
"""
_ZSH = """\
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
"""
_SCRIPTS = {"bash": _BASH, "zsh": _ZSH + _BASH}
_HYDRA = ("--cfg", "--help", "--multirun", "--resolve", "-m")


def parser() -> Parser:
    """Returns the command's parser."""
    parser = Parser(prog="tts completion", description=__doc__)
    parser.add_argument("shell", choices=[*_SCRIPTS, "query"], help="query: used by the script")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Prints a shell's script, or the completions of the line that the script passes in the environment."""
    shell = parser().parse_args(arguments).shell
    if shell == "query":
        line, breaks = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])], os.environ["COMP_WORDBREAKS"]
        sys.stdout.writelines(f"{choice}\n" for choice in choices(line, breaks))
    else:
        sys.stdout.write(_SCRIPTS[shell])
    return 0


def choices(line: str, breaks: str = "") -> list[str]:
    """Returns the completions of a line's last word, followed by a space if they are complete.

    Args:
        line: The command line up to the cursor.
        breaks: Characters at which the shell begins a new word; only the part after the last one is returned.
    """
    from tts.cli.main import COMMANDS

    words = line.split()[1:]
    word = words.pop() if words and not line[-1].isspace() else ""
    begin = max((word.rfind(mark) + 1 for mark in breaks if not mark.isspace()), default=0)
    # A two-word command is also an argument of the one-word command.
    given = " ".join(words)
    following = [name.removeprefix(given).strip() for name in COMMANDS if name.startswith(given)]
    found = [name for name in following if name and " " not in name]
    name = next((name for words_ in (2, 1) if (name := " ".join(words[:words_])) in COMMANDS), None)
    if name is not None:
        found += _arguments(COMMANDS[name][0], words[len(name.split()) :], word)
    return [
        choice[begin:] + ("" if choice.endswith(("=", ".", "/")) else " ")
        for choice in sorted(set(found))
        if choice.startswith(word)
    ]


def _arguments(module: str, before: Sequence[str], word: str) -> Iterable[str]:
    """Returns a command's possible arguments, from its parser or its configuration."""
    command = import_module(module)
    if hasattr(command, "CONFIG"):
        return [*_HYDRA, *_overrides(command.CONFIG, before, word)] if word[:1] != "-" else _HYDRA
    return _options(command.parser(), before)


def _options(parsed: Parser, before: Sequence[str]) -> Iterable[str]:
    for action in parsed._actions:
        if isinstance(action.choices, dict) and before and before[0] in action.choices:  # subcommands
            return _options(action.choices[before[0]], before[1:])
    options = [option for action in parsed._actions for option in action.option_strings]
    places = [choice for action in parsed._actions if not action.option_strings for choice in action.choices or ()]
    return options + places[: None if not before else 0]


def _overrides(config: str, before: Sequence[str], word: str) -> Iterable[str]:
    """Returns groups, options and settings, as Hydra completes them."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    from tts.cli.command import CONF
    from tts.config.keys import groups

    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        # Hydra does not complete groups with a package, such as `engine@policy.engine`.
        placed = [name for name in groups(CONF / f"{config}.yaml") if "@" in name]
        group, is_one, _ = word.partition("=")
        if is_one and group in placed:
            return [f"{group}={option}" for option in loader.get_group_options(group.partition("@")[0])]
        found = DefaultCompletionPlugin(loader)._query(config, " ".join([*before, word]))
        return [*(f"{name}=" for name in placed), *found]
