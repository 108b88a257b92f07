"""A local web page to accept, reject and tag names with the keyboard."""
