"""Datasets for training: what was chosen becomes files that others can load, and a card that says what they are.

The door is :func:`evoselfcode.datagen.exporting.exports.export_run`.
"""
