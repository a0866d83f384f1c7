"""`fer-train distil`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fer_edge.command import Command, FiniteRange
from fer_train.commands import fitting
from fer_train.commands.fit_options import fit_options
from fer_train.settings import TEACHER_VIEWS, Distillation


@click.command(cls=Command)
@click.option(
    "--teacher",
    "teachers",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="A run folder; repeat the option for the mean of several.",
)
@click.option(
    "--temperature",
    default=4.0,
    show_default=True,
    type=FiniteRange(1, 100),
    help="Softens the teachers' answers: more shows more of what they think of the other expressions.",
)
@click.option(
    "--teacher-share",
    default=0.7,
    show_default=True,
    type=FiniteRange(0, 1),
    help="Weight of the teachers' answers in the loss; the labels have the rest.",
)
@click.option(
    "--teacher-view",
    default="same",
    show_default=True,
    type=click.Choice(TEACHER_VIEWS),
    help="same: teachers judge what the student sees; clean: the faces as they are, once, which is faster.",
)
@fit_options
def distil(
    teachers: tuple[Path, ...], temperature: float, teacher_share: float, teacher_view: str, **given: Any
) -> None:
    """Train a student on the answers of teachers, mixed with the labels."""
    from fer_train.run_folder import RunFolder

    for teacher in teachers:
        RunFolder(teacher)
    names = tuple(map(str, teachers))
    found = fitting.load(given)
    wanted = Distillation(teachers=names, temperature=temperature, share=teacher_share, view=teacher_view)
    fitting.train(given, found, wanted)
