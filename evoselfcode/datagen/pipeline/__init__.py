"""The pipeline: the runner that interprets every stage, and one file per stage."""
