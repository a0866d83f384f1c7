"""`fer-train calibrate`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_edge.command import Command


@click.command(cls=Command)
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", required=True, type=click.Path(path_type=Path), help="What the run was trained on.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The new run folder; a run that stands there is kept as NAME-1, NAME-2.  [default: RUN-calibrated]",
)
def calibrate(run: Path, data: Path, out: Path | None) -> None:
    """Make the confidence of an existing run mean what it says: a new run folder, with a temperature in its scores.

    Trainings do it at their end, unless they are told --no-calibrate.
    """
    from fer_train import calibrating, run_folder
    from fer_train.run_folder import RunFolder

    opened = RunFolder(run)
    folder = out or run.absolute().with_name(f"{opened.name}-calibrated")
    run_folder.check(folder)
    found = opened.data(data)
    # TensorFlow takes seconds to import: after all is known to be there.
    from fer_train import recalibrating

    info = recalibrating.calibrate(opened, found, folder)
    click.echo(calibrating.sentence(info.confidence))
    click.echo(f"wrote {folder}")
