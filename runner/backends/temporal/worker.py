"""`runner worker`: takes runs and steps from the engine until it is told to stop."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from runner.backends.temporal.address import Address
from runner.backends.temporal.connect import connect
from runner.sensitive import Redactor

DRAIN = 60.0
"""Seconds that steps in flight get to end when the worker is told to stop."""


async def work(
    address: Address,
    environ: Mapping[str, str],
    redactor: Redactor,
    *,
    steps: int,
    lost_after: float,
    ready: Callable[[str], None],
    stop: asyncio.Event,
) -> None:
    """Work until `stop` is set, at most `steps` steps at a time; `ready` is told the worker's name.

    For runs that begin here `lost_after` is how long a worker may say nothing, in seconds.
    """
    client = await connect(address, environ, redactor)
    from temporalio.worker import Worker

    from runner.backends.temporal.activities import Activities
    from runner.backends.temporal.beside import LockWorkflow, TriggerWorkflow
    from runner.backends.temporal.child_workflows import CallWorkflow, SliceWorkflow
    from runner.backends.temporal.limiter import LimitWorkflow
    from runner.backends.temporal.workflows import RunWorkflow

    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    queue = f"{address.task_queue}/{name}"
    activities = Activities(
        client, environ, redactor, queue=queue, shared=address.task_queue, lost_after=lost_after
    )
    methods = [activities.perform, activities.prepare, activities.release]
    more: dict[str, Any] = {
        "activities": methods,
        "max_concurrent_activities": steps,
        "graceful_shutdown_timeout": timedelta(seconds=DRAIN),
        "default_heartbeat_throttle_interval": timedelta(seconds=lost_after / 5),
        "max_heartbeat_throttle_interval": timedelta(seconds=lost_after / 5),
        "identity": name,
    }
    shared = Worker(
        client,
        task_queue=address.task_queue,
        workflows=[RunWorkflow, CallWorkflow, SliceWorkflow, TriggerWorkflow, LockWorkflow, LimitWorkflow],
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=lost_after),
        **more,
    )
    own = Worker(client, task_queue=queue, **more)
    tidying = asyncio.create_task(activities.tidy())
    try:
        async with shared, own:
            ready(name)
            await stop.wait()
    finally:
        tidying.cancel()
        await asyncio.gather(tidying, return_exceptions=True)
        await activities.close()
