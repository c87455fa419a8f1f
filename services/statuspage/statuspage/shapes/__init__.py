"""What clients read: events' values become resources in the published shapes. A module per resource."""
