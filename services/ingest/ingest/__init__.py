"""From a tool's event to an alert's whole life."""
