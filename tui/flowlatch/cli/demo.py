"""`flowlatch demo`: the dashboard on a throw-away server with sample flows, history and live activity."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from flowlatch.cli.common import Common, ScreenCommand, pass_common
from flowlatch.cli.dashboard import check_terminal
from flowlatch.errors import BackendError, BadInput, ConfigError
from flowlatch.text import one_line

if TYPE_CHECKING:
    from flowlatch.model.run import RunId

NAME = "demo"


@click.command("demo", cls=ScreenCommand)
@click.option("--speed", type=float, default=1.0, show_default=True, help="How fast the demo's clock runs, 0.1 to 100.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same flows and history.")
@pass_common
def command(common: Common, speed: float, seed: int) -> int:
    """Open the dashboard on a server of its own, with flows, weeks of history and runs that move by themselves.

    Type :conflict to let a colleague change the run under the cursor; in a form, where letters are text, ctrl+p and
    conflict. All of it is gone when you quit.
    """
    if not math.isfinite(speed) or not 0.1 <= speed <= 100:
        raise BadInput(f"--speed {speed}: wants a number from 0.1 to 100")
    if common.server or common.profile:
        raise ConfigError("the demo has a server of its own: leave out --server and --profile")
    check_terminal()
    from flowlatch.config import Profile, Target, default_actor
    from flowlatch.demo.stage import Stage
    from flowlatch.ui.hooks import Hooks, Verb
    from flowlatch.ui.launch import run_dashboard

    target = Target(Profile(name=NAME, read_only=common.read_only), None, default_actor())
    settings = replace(common.settings, default=NAME, profiles={NAME: target.profile}, unusable={})
    with Stage(speed=speed, seed=seed) as stage:
        os.environ["FLOWLATCH_HOME"] = str(stage.home)

        async def conflict(run_id: RunId | None) -> str:
            from flowlatch.demo import colleague

            try:
                return await colleague.conflict(target, run_id, data=stage.data)
            except BackendError as error:
                return f"the colleague could not change it: {one_line(error)}"

        hooks = Hooks({"conflict": Verb("A colleague changes the run under the cursor.", conflict)})
        return run_dashboard(
            settings,
            target,
            opener=stage.open,
            data=stage.data,
            mouse=not common.no_mouse,
            theme=common.theme,
            hooks=hooks,
        )
