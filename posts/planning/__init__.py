"""Times that come back, worked out by themselves: rules of repeating posts, slots of a week. No Django."""
