"""One request, rendered and sent to a server that logs what arrives."""
