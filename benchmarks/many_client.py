"""The same with the client of runner.d alone: what the engine, templates, secrecy and history cost comes on top. ADDRESS COUNT."""

import asyncio
import json
import os
import sys

from runner.client import Channel, Client, Exchange


async def main(address: str, count: int) -> None:
    token = (("Authorization", f"Bearer {os.environ['API_TOKEN']}"),)
    channel = Channel(origin=address)
    client = Client(environ={})
    numbers = iter(range(count))
    found = 0

    async def work() -> None:
        nonlocal found
        for number in numbers:
            url = f"{address}/item/{number}"
            answer = await client.send(Exchange(method="GET", url=url, shown_url=url), channel, extra=token)
            if answer.status != 200:
                raise RuntimeError(f"{url} answered {answer.status}")
            json.loads(answer.body)
            found += 1

    await asyncio.gather(*(work() for _ in range(64)))
    await client.close()
    print(found)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
