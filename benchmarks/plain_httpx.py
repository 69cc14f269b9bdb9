"""What one would write by hand: the same requests with httpx and nothing else. ADDRESS COUNT on the command line."""

import os
import sys

import httpx

address, count = sys.argv[1], int(sys.argv[2])
number = 0
with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {os.environ['API_TOKEN']}"}) as client:
    for _ in range(count):
        response = client.get(f"/item/{number}")
        response.raise_for_status()
        number = response.json()["next"]
print(number)
