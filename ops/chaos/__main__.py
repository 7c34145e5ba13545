"""`make chaos`: kill everything while photographs flow, then count."""

import asyncio
import json
import shutil
import sys
import time
from typing import Annotated, Any, Final

import httpx
import typer
from rich.console import Console

from ops.chaos.fleet import Fleet
from ops.chaos.growers import Growers
from ops.chaos.monkey import Monkey
from ops.chaos.truth import Topics, results
from schemas.settings import var_dir

SETTLE_S: Final = 60
app = typer.Typer(add_completion=False)
console = Console(stderr=True, highlight=False)


@app.command()
def main(
    images: Annotated[int, typer.Option(envvar="IMAGES", min=1, max=100_000)] = 1000,
    kills: Annotated[int, typer.Option(envvar="KILLS", min=10, max=200)] = 12,
    duration: Annotated[float, typer.Option(envvar="DURATION", help="Seconds of load; 0: 6 a kill")] = 0,
    seed: Annotated[int, typer.Option(envvar="SEED")] = 1,
    sabotage: Annotated[
        str, typer.Option(help="none, sink or worker: take that guard out, the count must notice")
    ] = "none",
) -> None:
    """Kill services while photographs flow, then count; exit status 1 if anything was lost, doubled or out of order."""
    started = time.monotonic()
    seconds = duration or 6 * kills
    directory = var_dir() / "chaos"
    shutil.rmtree(directory, ignore_errors=True)
    with Fleet(directory, sabotage=sabotage) as fleet:
        growers = Growers(fleet.urls, images, seconds, seed)
        monkey = Monkey(fleet, kills=kills, seconds=seconds, seed=seed, tell=console.print)
        console.print(
            f"{images} photographs in {seconds:.0f} s, {kills} kills, seed {seed}, logs under {directory}/log"
        )
        monkey.start()
        try:
            asyncio.run(growers.run())
            monkey.join()  # a slow machine takes longer to start things again than the schedule says
        finally:
            monkey.stop()
            monkey.join()
        if monkey.error:
            raise monkey.error
        outcome = asyncio.run(_count(fleet, growers, monkey))
    outcome["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(outcome))
    whole = outcome["lost"] == outcome["double_counted"] == outcome["out_of_order"] == 0
    sys.exit(0 if whole and outcome["dead_letters"] == outcome["poison"] else 1)


async def _count(fleet: Fleet, growers: Growers, monkey: Monkey) -> dict[str, Any]:
    """Wait until every image in the topic has its result, or nothing moves any more; then compare."""
    topics = Topics.read(fleet.broker.address)
    told: set[str] = set()
    counted, still = 0, time.monotonic()
    while (len(told) < len(topics.images) or counted < len(topics.images)) and time.monotonic() - still < SETTLE_S:
        await asyncio.sleep(1)
        fleet.revive()
        fleet.wait_for_apis()
        more = await results(fleet.urls, topics.images - told)
        before, counted = counted, await _counted(fleet.urls[0])
        if more or counted != before:
            still = time.monotonic()
        told |= more
        console.print(f"results {len(told)} of {len(topics.images)}, counted {counted}")
    topics = Topics.read(fleet.broker.address)
    lost = len(growers.accepted - topics.images) + len(topics.images) - min(len(told), counted)
    return {
        "accepted": len(growers.accepted),
        "in_topic": len(topics.images),
        "results": len(told),
        "lost": lost,
        "counted": counted,
        "double_counted": max(0, counted - len(topics.images)),
        "dead_letters": len(topics.dead_letters),
        "poison": len(monkey.poison),
        "out_of_order": topics.out_of_order,
        "kills": dict(monkey.kills),
        "duplicates_absorbed": topics.predictions - len(topics.images),
    }


async def _counted(url: str) -> int:
    """How many photographs the analytics counters know, failures included."""
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.get(f"{url}/analytics")
        answer.raise_for_status()
        totals = answer.json()
        return int(totals["images"]) + int(totals["failed"])


if __name__ == "__main__":
    app()
