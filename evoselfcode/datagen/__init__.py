"""The stages of data generation, and what they are made of: prompts and filters."""
