"""The oracle: observe what sources say of prices, judge whether they are trusted, and show both."""
