"""The read API over the published marts: who asks, what he may see, and one snapshot behind every answer."""
