"""Sans-I/O: requests in, bytes out; status, headers and bytes in, records out. Nothing here opens a socket."""
