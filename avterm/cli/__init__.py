"""One thin Typer file per group of commands."""
