"""What other tools must be told or made to do when an alert is raised, answered or resolved."""
