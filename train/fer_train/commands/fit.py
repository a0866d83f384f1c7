"""`fer-train fit`."""

from __future__ import annotations

from typing import Any

import click

from fer_edge.command import Command
from fer_train.commands import fitting
from fer_train.commands.fit_options import fit_options


@click.command(cls=Command)
@fit_options
@click.option(
    "--search",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Try N settings of learning rate, batch size, dropout and augmentation, in place of the options of these "
    "names, and keep the best run.",
)
def fit(search: int, **given: Any) -> None:
    """Train a model and leave a run folder for fer-convert.

    The weights of the epoch that is best on the selection split (PublicTest, or test/) are kept. The folder also holds
    a report of how the model judges that split, and its model card.
    """
    found = fitting.load(given)
    if search:
        fitting.search(search, given, found)
    else:
        fitting.train(given, found)
