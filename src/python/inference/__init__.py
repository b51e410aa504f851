"""Run a model: find or download its folder, load it once, answer requests; or call a hosted one.

Nothing heavy is imported here: torch and transformers load when the first model does.
"""
