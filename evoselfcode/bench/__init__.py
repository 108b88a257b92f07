"""What an endpoint can take, found by asking it: levels of requests in flight, the knee, and who is the limit there."""
