"""Runs all three notebooks in parallel, with everything before and after such a run.

``headless`` executes them, ``reconcile`` compares what was sent with what was predicted, ``reset`` moves results aside,
``lab`` opens JupyterLab, ``handin`` packs the executed notebooks. ``check`` runs before a run, ``lock`` admits one
writer per output folder, ``watch`` follows the notebooks, ``shortfall`` says what a completed run lacks.
"""
