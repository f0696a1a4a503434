"""What a server would serve: every model, checked, with what a question costs at most."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from tts.core.terminal import Terminal
from tts.runtime.runtime import Runtime
from tts.serve.catalogue import Catalogue, bound_of
from tts.serve.server import Settings


async def show(settings: Settings) -> None:
    """Prints the models; loads nothing.

    Raises:
        UserError: One cannot work.
    """
    table = Table(box=None, pad_edge=False)
    for head in ("model", "search", "N", "K", "tokens of the policy, at most", ""):
        table.add_column(head)
    async with Runtime(config_dir=settings.folder) as runtime:
        catalogue = Catalogue(settings.models, runtime, settings.limits, settings.folder)
        await catalogue.check()
        for name, model in settings.models.items():
            made = await catalogue.composed(name)
            votes = made.verifier.votes if made.strategy.verifies else 0
            tokens = bound_of(made, settings.limits.seconds)["policy_tokens"]
            shown = (type(made.strategy).__name__, str(made.strategy.samples), str(votes), str(tokens or "no bound"))
            table.add_row(escape(name), *shown, escape(model.description))
    Terminal().print(table)
