"""The verbs, put together."""

from typing import Annotated

import typer

from onenet.cli import bench, convert, data, demo, evaluate, export, listing, predict, study, train

app = typer.Typer(
    help="Train, score and use segmentation networks that are small enough for a device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("demo")(demo.demo)
app.command("export")(export.export)
app.command("convert")(convert.convert)
app.command("list")(listing.show)
app.command("study")(study.study)
app.add_typer(bench.app, name="bench")
app.add_typer(data.app, name="data")


@app.callback(invoke_without_command=True)
def onenet(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:  # noqa: D103
    if version:
        from onenet import __version__

        print(__version__)
        raise typer.Exit()
