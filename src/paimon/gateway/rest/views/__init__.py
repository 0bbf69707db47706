"""JSON shapes of requests and responses, built from domain values and the application's read models. One class a shape."""
