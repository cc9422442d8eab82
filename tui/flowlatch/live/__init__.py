"""What the screen knows right now: the link, the window of rows, edits under way. asyncio, but no Textual."""
