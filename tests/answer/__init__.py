"""A response as actions see it, and what is expected of it: judged by requests to a server that misbehaves."""
