"""The command line: which commands there are, and that every error is one message and an exit code.

How a run lives in a shell is :mod:`evoselfcode.shell`; what people see of it is :mod:`evoselfcode.terminal`; the
commands of Stage B are :mod:`evoselfcode.cli_code`, those that look at its code :mod:`evoselfcode.cli_scoring` and
:mod:`evoselfcode.cli_choosing`.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from evoselfcode import __version__, loops, signals
from evoselfcode.cli_all import datagen_all
from evoselfcode.cli_bench import bench
from evoselfcode.cli_choosing import CHOOSING
from evoselfcode.cli_code import STAGE_B
from evoselfcode.cli_exporting import export
from evoselfcode.cli_journal import refilter
from evoselfcode.cli_options import load, with_arms, with_config, with_run_options, with_settings
from evoselfcode.cli_scoring import SCORING
from evoselfcode.cli_sharding import SHARDING
from evoselfcode.errors import EvoselfcodeError, Interrupted
from evoselfcode.shell import report_in_shell, run_in_shell, standard_output, with_report
from evoselfcode.terminal import leave, printable, say


class _Remarks(logging.Handler):
    """Shows what the package remarks while it works."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"{record.levelname.lower()}: {record.getMessage()}")


_REMARKS = _Remarks()


class _Group(click.Group):
    """Turns the package's exceptions into one message and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        logging.getLogger("evoselfcode").addHandler(_REMARKS)
        try:
            return super().invoke(ctx)
        except EvoselfcodeError as error:
            if isinstance(error, Interrupted):
                signals.ignore()
            word = "stopped" if isinstance(error, Interrupted) else "error"
            say(f"{word}: {error}")
            ctx.exit(error.exit_code)
        finally:
            leave()


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="evoselfcode")
def main() -> None:
    """Generate synthetic Python code data from any code-model endpoint."""


@main.command("datagen-names")
@with_config
@with_settings
@with_arms
@with_run_options
def datagen_names(config_path: Path, overrides: tuple[str, ...], arms: tuple[str, ...], **how: Any) -> None:
    """Generate function names by FIM and by L2R, or whatever namegen.arms names, filter and save them.

    Run the same command again to resume: what is settled is never asked again.
    """
    from evoselfcode.datagen.pipeline.namegen import NAMES

    run_in_shell(NAMES, load(config_path, overrides), arms, then=with_report, **how)


@main.command()
@with_config
@with_settings
@click.option("--scores", is_flag=True, help="Find out, too, whether the endpoint can score texts.")
def doctor(config_path: Path, overrides: tuple[str, ...], scores: bool) -> None:
    """Find out what the endpoint can do, and say what works, what does not, and why.

    At most six requests are sent, and two for each order of raw prompts that an arm prescribes; at most ten more with
    --scores. The exit code is 2 if no way of fill-in-the-middle works, or not in such an order, or none of scoring.
    """
    from evoselfcode.clients import Findings, OpenAICompletionClient
    from evoselfcode.terminal_findings import findings_table

    config = load(config_path, overrides)
    client = OpenAICompletionClient.from_config(config)

    async def look() -> Findings:
        async with client.connect(n=config.namegen.n, scores=scores) as connection:
            return connection.findings

    findings = loops.run(look)
    with standard_output():
        findings_table(findings, config.warnings())
    if any(check.level == "problem" for check in findings.checks):
        sys.exit(2)


@main.command()
@click.argument("run", type=click.Path(path_type=Path), default=Path("data/generated/names"))
def report(run: Path) -> None:
    """Write a page about a run: which arm is better, and what more draws would find or, of code, what was dropped.

    RUN is the folder of a run of datagen-names or datagen-code (default: data/generated/names); report.json and
    report.html are written into it. The report is made from what lies there: no request is sent.
    """
    report_in_shell(run)


@main.command("select-names")
@click.argument("run", type=click.Path(path_type=Path), default=Path("data/generated/names"))
@click.option(
    "--top", type=click.IntRange(min=1), default=None, help="Select at most this many; all good ones if left out."
)
@click.option(
    "--min-score", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="Least score of a selected name."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder to write into; the run's own if left out."
)
def select_names(run: Path, top: int | None, min_score: float, out: Path | None) -> None:
    """Rank the names of a run and write the good ones to selected.jsonl.

    RUN is the folder of a names run (default: data/generated/names). Near duplicates, low scores and the names of
    benchmark tasks go to rejected.jsonl, each with its reason. Decisions of review-names are honoured. No request is
    sent.
    """
    from evoselfcode.datagen.pipeline.nameselect import select_names as select

    made = select(run, out=out, top=top, min_score=min_score)
    for warning in made.warnings:
        say(f"warning: {warning}")
    with standard_output():
        for line in made.lines():
            click.echo(printable(line))


@main.command("review-names")
@click.argument("run", type=click.Path(path_type=Path), default=Path("data/generated/names"))
@click.option("--port", default=0, show_default=True, help="Port to listen on; 0 takes a free one.")
def review_names(run: Path, port: int) -> None:
    """Accept, reject and tag the names of a run with the keyboard, on a local web page.

    RUN is the folder of a run (default: data/generated/names); decisions are appended to decisions.jsonl in it. Only
    this machine can reach the page, and only with the address that is printed. Ctrl-C ends it.
    """
    from evoselfcode.review.serve import review

    def ready(url: str, damaged: int) -> None:
        if damaged:
            say(f"warning: lines of decisions.jsonl that cannot be read, and are left out: {damaged}")
        say(f"review the names at {url}")

    done = review(run, port, on_ready=ready)
    say(f"{done.accepted} accepted, {done.rejected} rejected, {done.undecided} undecided: {done.path}")


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on; 0 takes a free one.")
@click.option("--slots", type=click.IntRange(min=1), default=None, help="Generations at once; the rest queues.")
@click.option("--latency", metavar="TIME", default="0ms", help="Of each reply: 50ms, 50ms..200ms, lognormal:80ms,0.5.")
@click.option("--fault", "faults", metavar="KIND:SHARE", multiple=True, help="E.g. 429:0.05, drop:0.01, 503@10..20.")
@click.option(
    "--suffix",
    type=click.Choice(["honour", "refuse", "ignore"]),
    default="honour",
    show_default=True,
    help="What to do with the suffix field; refuse is what vLLM does.",
)
@click.option("--seed", default=0, show_default=True, help="Seeds the faults and latencies.")
def serve(
    host: str, port: int, slots: int | None, latency: str, faults: tuple[str, ...], suffix: Any, seed: int
) -> None:
    """Serve the embedded model over HTTP, with scripted faults and latencies for rehearsals."""
    from evoselfcode.local import serve as server

    app = server.make_app(
        suffix=suffix,
        slots=slots,
        latency=server.parse_latency(latency),
        faults=tuple(server.parse_fault(fault) for fault in faults),
        seed=seed,
    )
    server.run(app, host, port, on_ready=lambda url: say(f"serving the embedded model at {url}/v1"))


for _command in (refilter, *STAGE_B, *SCORING, *CHOOSING, *SHARDING, export, datagen_all, bench):
    main.add_command(_command)


if __name__ == "__main__":
    main()
