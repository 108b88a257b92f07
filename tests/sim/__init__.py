"""Models of servers in virtual time, on which the real code is driven."""
