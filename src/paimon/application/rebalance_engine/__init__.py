"""The fund's own plans: made and signed by the planner, whose key no other process has."""
