"""The listener's loop, and its reactions to a chain that is behind, far ahead or changed."""
