"""`onenet convert`: the authors' checkpoints into ours, and back."""

from pathlib import Path
from typing import Annotated

import typer

from onenet.cli.names import note_replaced

KEEPING = "to keep it, choose another name"


def convert(
    source: Annotated[Path, typer.Argument(help="The authors' .pth file; with --to-authors one of our models.")],
    target: Annotated[Path, typer.Argument(help="The .safetensors file to write; with --to-authors a .pth file.")],
    to_authors: Annotated[bool, typer.Option("--to-authors", help="Write the authors' format instead.")] = False,
) -> None:
    """Convert weights; which network they belong to is read off their names and shapes. No code in the file is run."""
    _check_target(source, target, (".pth", ".pt") if to_authors else (".safetensors",))
    if to_authors:
        _write_authors(source, target)
    else:
        _read_authors(source, target)


def _read_authors(source: Path, target: Path) -> None:
    from onenet.checkpoint import load_weights, read_torch_file, save
    from onenet.models.authors import from_authors, read_arguments
    from onenet.models.catalog import create_model

    state = read_torch_file(source)
    name, arguments = read_arguments(state, str(source))
    model = create_model(name, **arguments)
    load_weights(model, from_authors(state, model, str(source)), str(source))
    note_replaced([target], KEEPING)
    save(model, target)
    sizes = ", ".join(
        f"{key}={arguments[key]}" for key in ("width", "depth", "stem_repeat", "spatial_kernel", "num_classes")
    )
    print(f"{name} ({sizes})  ->  {target}")


def _write_authors(source: Path, target: Path) -> None:
    import io

    import torch

    from onenet.checkpoint import load
    from onenet.images import atomic_write
    from onenet.models.authors import to_authors

    state = to_authors(load(str(source)))
    buffer = io.BytesIO()
    torch.save(state, buffer)
    note_replaced([target], KEEPING)
    with atomic_write(target) as file:
        file.write(buffer.getbuffer())
    print(f"{source}  ->  {target} (the heads that the authors' code never runs are zeros)")


def _check_target(source: Path, target: Path, endings: tuple[str, ...]) -> None:
    from onenet.errors import ConfigError

    if target.exists() and source.exists() and target.samefile(source):
        raise ConfigError(f"{target}: source and target are the same file")
    if target.suffix not in endings:
        both = source.suffix not in (".pth", ".pt") and target.suffix in (".pth", ".pt")
        back = ", or say --to-authors" if both else ""
        raise ConfigError(f"{target}: the result is saved as {' or '.join(endings)}; change the ending{back}")
