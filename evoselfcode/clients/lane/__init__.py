"""The direct lane: calls as bytes over HTTP/1.1 connections of our own, without the objects of an HTTP library."""
