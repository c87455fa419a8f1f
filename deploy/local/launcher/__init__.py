"""Starts the whole suite natively: servers, services, supervisor, mail sink."""
