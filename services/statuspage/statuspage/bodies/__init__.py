"""What clients send: bodies in the published shapes are checked here and become events' values. A module per resource."""
