"""What the API shows of each thing: built from domain values and rows, one class a shape."""
