"""What one would write by hand: independent requests with httpx, 64 at a time. ADDRESS COUNT on the command line."""

import asyncio
import os
import sys

import httpx


async def main(address: str, count: int) -> None:
    headers = {"Authorization": f"Bearer {os.environ['API_TOKEN']}"}
    limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
    numbers = iter(range(count))
    found = 0
    async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits) as client:

        async def work() -> None:
            nonlocal found
            for number in numbers:
                response = await client.get(f"/item/{number}")
                response.raise_for_status()
                response.json()
                found += 1

        await asyncio.gather(*(work() for _ in range(64)))
    print(found)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
