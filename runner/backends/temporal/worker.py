"""`runner worker`: takes runs and steps from the engine until it is told to stop."""

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runner.backends.temporal.address import Address
from runner.backends.temporal.connect import api_key, connect, not_let_in
from runner.errors import SecretsError
from runner.sensitive import Redactor

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.worker import Worker

DRAIN = 60.0
"""Seconds that steps in flight get to end when the worker is told to stop."""

_REFUSED = 2
"""How often in a row the engine must refuse a worker before that ends."""


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

    For runs that begin here `lost_after` is how long a worker may say nothing, in seconds. Raises SecretsError where the
    engine lets it in no more.
    """
    client = await connect(address, environ, redactor)
    from runner.backends.temporal.activities import Activities

    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    queue = f"{address.task_queue}/{name}"
    activities = Activities(
        client, environ, redactor, queue=queue, shared=address.task_queue, lost_after=lost_after
    )
    more: dict[str, Any] = {
        "activities": [activities.perform, activities.prepare, activities.release],
        "max_concurrent_activities": steps,
        "graceful_shutdown_timeout": timedelta(seconds=DRAIN),
        "default_heartbeat_throttle_interval": timedelta(seconds=lost_after / 5),
        "max_heartbeat_throttle_interval": timedelta(seconds=lost_after / 5),
        "identity": name,
    }
    shared, own = _workers(client, address.task_queue, queue, lost_after, more)
    tidying = asyncio.create_task(activities.tidy())
    stopping = asyncio.create_task(stop.wait())
    shut_out = asyncio.create_task(_shut_out(client, address, environ, redactor, lost_after))
    try:
        async with shared, own:
            ready(name)
            await asyncio.wait([stopping, shut_out], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (tidying, stopping, shut_out):
            task.cancel()
        await asyncio.gather(tidying, stopping, shut_out, return_exceptions=True)
        await activities.close()
    if not shut_out.cancelled():
        raise shut_out.result()


def _workers(
    client: "Client", shared: str, own: str, lost_after: float, more: Mapping[str, Any]
) -> tuple["Worker", "Worker"]:
    """Make what takes from the queue of all workers, and from that of this one."""
    from temporalio.worker import Worker

    from runner.backends.temporal.beside import LockWorkflow, TriggerWorkflow
    from runner.backends.temporal.child_workflows import CallWorkflow, SliceWorkflow
    from runner.backends.temporal.limiter import LimitWorkflow
    from runner.backends.temporal.workflows import RunWorkflow

    of_all = Worker(
        client,
        task_queue=shared,
        workflows=[RunWorkflow, CallWorkflow, SliceWorkflow, TriggerWorkflow, LockWorkflow, LimitWorkflow],
        # What one worker alone would go on with, others take over: it costs them no more than to read the history.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=lost_after / 4),
        **more,
    )
    return of_all, Worker(client, task_queue=own, **more)


async def _shut_out(
    client: "Client", address: Address, environ: Mapping[str, str], redactor: Redactor, every: float
) -> SecretsError:
    """Wait until the engine lets this worker in no more; gives what to say.

    Polls that are refused are repeated in silence, so this asks now and then. A key that was changed in Vault is taken from
    there.
    """
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.service import RPCError, RPCStatusCode

    refused = 0
    while True:
        await asyncio.sleep(every)
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=address.namespace)
            )
        except RPCError as problem:
            if problem.status not in (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED):
                continue
            refused += 1
            known = problem.status is RPCStatusCode.PERMISSION_DENIED
        else:
            refused = 0
            continue
        try:
            key = await api_key(environ, redactor)
        except SecretsError as problem:
            return problem
        if key is not None and key != client.api_key:
            client.api_key = key
        elif refused >= _REFUSED:
            return not_let_in(address, given=key is not None, known=known)
