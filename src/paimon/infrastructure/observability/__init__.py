"""What the engineers on call see: structured logs, one fact a line."""
