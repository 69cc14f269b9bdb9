"""The installed program and the demo as subprocesses."""
