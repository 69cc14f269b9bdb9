"""The same with aiohttp, the limit of what Python clients reach: independent requests, 64 at a time. ADDRESS COUNT."""

import asyncio
import json
import os
import sys

import aiohttp


async def main(address: str, count: int) -> None:
    headers = {"Authorization": f"Bearer {os.environ['API_TOKEN']}"}
    numbers = iter(range(count))
    found = 0
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=64)) as client:

        async def work() -> None:
            nonlocal found
            for number in numbers:
                async with client.get(f"{address}/item/{number}") as response:
                    response.raise_for_status()
                    json.loads(await response.read())
                    found += 1

        await asyncio.gather(*(work() for _ in range(64)))
    print(found)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
