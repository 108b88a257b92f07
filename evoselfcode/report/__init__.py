"""The report of a run: one plain document, made from the journal alone, and the page that shows it."""
