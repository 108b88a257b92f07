"""What an endpoint can take, found by asking it: levels of requests in flight, the knee, and who is the limit there."""

HIGHEST = 4096
"""Most requests in flight that a configuration may ask for."""
