"""The fund's risk: assess it, keep its indicators over time, and show what a policy finds or would have found."""
