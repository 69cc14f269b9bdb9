"""Real servers on loopback for the tests and the demo: HTTP, faults, tickets and pager, certificates, OpenBao."""
